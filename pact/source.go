package pact

import "entente/act"

// names, as the text spells them.
type names struct {
	EN string `yaml:"en" need:"a name in English" letters:"en"`
	KO string `yaml:"ko" letters:"ko"`
	JA string `yaml:"ja" letters:"ja"`
}

func (n names) act() act.Names { return act.Names(n) }

// wording is what a text says in words: plain, in English, or in each language.
type wording struct {
	EN string `yaml:"en" need:"the wording in English" letters:"any"`
	KO string `yaml:"ko" letters:"any"`
	JA string `yaml:"ja" letters:"any"`
}

func (w wording) act() act.Names { return act.Names(w) }

// source is a text as it is spelled. The tags give the rules of single values,
// and, with doc, the schema for editors: enum lists the words allowed, min and
// max bound a number, once forbids that anything stands twice, letters names the
// writing (of what machines compare: none), need says what is missing without it.
// What is left out takes the strictest meaning.
type source struct {
	Pact     string    `yaml:"pact" need:"the name of the pact" doc:"Short name: small letters, digits, dots and hyphens."`
	Version  int       `yaml:"version" min:"1" max:"9999" need:"the version" doc:"1, then one more for each amendment."`
	Title    names     `yaml:"title" need:"a title"`
	Zone     string    `yaml:"zone" need:"the time zone" doc:"The pact's time zone: UTC or an offset such as +09:00. Its days begin there."`
	Binding  string    `yaml:"binding" need:"its binding force" enum:"treaty|arrangement|exchange-of-notes|membership" doc:"D1: binding force."`
	Topology string    `yaml:"topology" need:"its topology" enum:"direct|hub|mesh" doc:"D3: who reaches whom."`
	Notes    []wording `yaml:"notes" doc:"What a reader should know about this text."`
	Hub      *struct {
		Party string `yaml:"party" need:"the party that is the hub"`
		Reads bool   `yaml:"reads" doc:"The hub is a recipient of what it passes on."`
	} `yaml:"hub" doc:"D3: the party that passes on."`
	Parties []struct {
		ID        string `yaml:"id" need:"a name in capital letters"`
		Kind      string `yaml:"kind" enum:"state|ministry|organisation|agency|company" doc:"D2."`
		Name      names  `yaml:"name" need:"a name"`
		Authority names  `yaml:"authority" doc:"D11: the competent authority."`
		Offices   []struct {
			Role string `yaml:"role" need:"its role" enum:"security|designated-security|registry|contact"`
			Name names  `yaml:"name" need:"a name"`
		} `yaml:"offices" doc:"D11: further offices."`
		Keys *struct {
			Link   string   `yaml:"link"`
			Seal   string   `yaml:"seal"`
			Ledger []string `yaml:"ledger"`
			Period int      `yaml:"period"`
		} `yaml:"keys" doc:"Public keys. 'entente pact draft' fills them in."`
	} `yaml:"parties" need:"its parties" doc:"D2: 2 to 64 parties."`
	Markings []struct {
		Rank      int    `yaml:"rank" min:"1" max:"16" need:"a rank"`
		Term      string `yaml:"term" need:"the pact's own term"`
		Party     string `yaml:"party" need:"whose mark it is"`
		Mark      string `yaml:"mark" need:"the mark as it is stamped" letters:"mark"`
		Roman     string `yaml:"roman" letters:"en" doc:"How the mark is read aloud."`
		From      string `yaml:"from" doc:"First day, 2016-11-23; none: always."`
		To        string `yaml:"to" doc:"The first day on which it no longer holds; none: for ever."`
		Certainty string `yaml:"certainty" enum:"recalled"`
	} `yaml:"markings" need:"a table of markings" doc:"D6: which marks are equal, when."`
	Floor    string            `yaml:"floor" doc:"D6: the lowest term covered; none: the lowest of the table."`
	Ceiling  string            `yaml:"ceiling" need:"a ceiling" doc:"D6: the highest term that may be shared."`
	Channels map[string]string `yaml:"channels" need:"its channels" doc:"D7: the ceiling of each channel: electronic, courier, hub, oral."`
	Legs     []struct {
		Between  []string `yaml:"between" need:"its two parties"`
		Ceiling  string   `yaml:"ceiling" need:"a ceiling"`
		Channels []string `yaml:"channels" once:"yes" doc:"The channels of this leg; none: all of the pact's."`
		Under    string   `yaml:"under" doc:"The pact that protects what moves on this leg."`
	} `yaml:"legs" doc:"D7: the ways between two parties; none: every party reaches every other."`
	Subjects []string `yaml:"subjects" need:"its subjects" once:"yes" doc:"D4."`
	Forms    []string `yaml:"forms" need:"its forms" once:"yes" enum:"oral|visual|electronic|magnetic|documentary|equipment|technology" doc:"D4."`
	Provide  string   `yaml:"provide" enum:"none|on-request|standing" doc:"D5: whether there is a duty to provide."`
	Third    struct {
		Release  string            `yaml:"release" enum:"consent|audience" doc:"consent: only with the originator's written approval. audience: as the marking says."`
		Audience map[string]string `yaml:"audience" enum:"recipients|organisation|clients|community|public" doc:"For each term, who may have it."`
		Counts   []string          `yaml:"counts" enum:"contractor|overseer|court" once:"yes" doc:"Who counts as a third party besides other states."`
	} `yaml:"third-party" doc:"D8."`
	Purposes []struct {
		ID   string `yaml:"id" need:"a short id"`
		Name names  `yaml:"name" need:"a name"`
	} `yaml:"purposes" need:"its purposes"`
	Use       string `yaml:"use" enum:"bound|framework|free" doc:"D9: bound: only for the purpose of the release. framework: for any purpose of the pact. free: for any."`
	Clearance string `yaml:"clearance-from" doc:"D10: the term from which a clearance is needed, or none."`
	Receipts  struct {
		From  string `yaml:"from" doc:"The term from which a receipt is due; none: the lowest."`
		Hours int    `yaml:"hours" min:"1" max:"8760" need:"the hours within which a receipt is due"`
	} `yaml:"receipts" need:"its receipts" doc:"D12."`
	Copying struct {
		Copies       string `yaml:"copies" enum:"free|minimum|consent|forbidden"`
		Translations string `yaml:"translations" enum:"free|minimum|consent|forbidden"`
		Extracts     string `yaml:"extracts" enum:"free|minimum|consent|forbidden"`
		ConsentFrom  string `yaml:"consent-from" doc:"The term from which the originator is always asked."`
		Limit        int    `yaml:"limit" min:"0" max:"10000" doc:"The greatest number of copies of one product."`
	} `yaml:"copying" doc:"D13."`
	Destruction struct {
		Methods   []string `yaml:"methods" enum:"burn|shred|pulp|erase|melt|other-irreversible" once:"yes"`
		Witnesses int      `yaml:"witnesses" min:"0" max:"4"`
		Keep      int      `yaml:"keep-years" min:"0" max:"100" doc:"Years that the certificate is kept."`
	} `yaml:"destruction" doc:"D14."`
	Contractors struct {
		Allowed     string `yaml:"allowed" enum:"forbidden|conditions"`
		Performance bool   `yaml:"place-of-performance" doc:"Security follows the place of performance."`
	} `yaml:"contractors" doc:"D15."`
	Incidents struct {
		Hours    int  `yaml:"within-hours" min:"0" max:"8760" doc:"0: immediately."`
		Possible bool `yaml:"possible" doc:"Possible ones are told too."`
	} `yaml:"incidents" doc:"D16: loss or compromise."`
	Visits struct {
		Lead       int    `yaml:"lead-days" min:"0" max:"365"`
		Inspection string `yaml:"inspection" enum:"mutual|none"`
	} `yaml:"visits" doc:"D17."`
	Life struct {
		Start       string `yaml:"start" need:"how the pact starts" enum:"later-notification|signature|first-of-month" doc:"D18. first-of-month: the first day of the month after the later notification."`
		Provisional string `yaml:"provisional" doc:"D18: applied from this day, once all have signed, before entry into force."`
		TermYears   int    `yaml:"term-years" min:"0" max:"100" doc:"D19: 0: without end."`
		NoticeDays  int    `yaml:"notice-days" min:"0" max:"3650"`
		NoticeMonth int    `yaml:"notice-months" min:"0" max:"120"`
		Anniversary string `yaml:"anniversary" doc:"11-23: terms end at the first instant of this day; none: the day of entry into force."`
		Suspension  bool   `yaml:"suspension" doc:"The text knows that a notice is suspended."`
	} `yaml:"life" need:"its life" doc:"D18, D19."`
	Amendment string `yaml:"amendment" enum:"consent|notes|authorities" doc:"D20."`
	Language  struct {
		Authentic   []string `yaml:"authentic" once:"yes"`
		Publication string   `yaml:"publication" enum:"public|closed"`
	} `yaml:"text" doc:"D21: authentic languages, and whether the text is public."`
	Disputes string `yaml:"disputes" enum:"consultation" doc:"D22."`
	Costs    string `yaml:"costs" enum:"own|shared" doc:"D22."`
	Relation struct {
		Implements  []string `yaml:"implements" once:"yes"`
		Supplements []string `yaml:"supplements" once:"yes"`
		ProtectedBy []string `yaml:"protected-by" once:"yes"`
		Supersedes  []string `yaml:"supersedes" once:"yes"`
	} `yaml:"relation" doc:"D23: to other pacts, by their names."`
	Reporting struct {
		To    string `yaml:"to" enum:"parliament|board|authorities"`
		Every int    `yaml:"every-months" min:"0" max:"120"`
	} `yaml:"reporting" doc:"D24."`
	Uncertain []struct {
		Term string  `yaml:"term" need:"the term that is uncertain"`
		Why  wording `yaml:"why" need:"why it is uncertain"`
	} `yaml:"uncertain" doc:"Terms whose source is not the official text."`
	Articles []struct {
		Number    int      `yaml:"number" min:"1" max:"500" need:"a number"`
		Title     names    `yaml:"title" need:"a title"`
		Text      wording  `yaml:"text" need:"a text"`
		Clauses   []string `yaml:"clauses" doc:"What the machine keeps."`
		Record    wording  `yaml:"record" doc:"What people record, where no machine keeps it."`
		Certainty string   `yaml:"certainty" enum:"recalled" doc:"To be checked against the official text."`
	} `yaml:"articles" need:"its articles"`
}
