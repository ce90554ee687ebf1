package main

import "github.com/alecthomas/kong"

// examples stand in the help of each command. They are parsed by a test.
var examples = map[string]string{
	"init":              "entente init KR --key-file kr.key --new-key",
	"serve":             "entente serve --listen :7701",
	"pact draft":        "entente pact draft kr-jp-2016 > ours.yaml",
	"pact check":        "entente pact check ours.yaml",
	"pact diff":         "entente pact diff kr-us-1987 us-jp-2007",
	"pact schema":       "entente pact schema > pact.schema.json",
	"pact show":         "entente pact show kr-jp-2016 --lang ko",
	"pact sign":         "entente pact sign kr-jp-2016 --with tokyo.example:7701 --code '2230 4915 4765 8616 3360 6434' --notify",
	"pact notify":       "entente pact notify kr-jp-2016",
	"pact read":         "entente pact read kr-jp-2016 notice-given --note 'as we read Article 21'",
	"pact step":         "entente pact step notice kr-jp-2016",
	"pacts":             "entente pacts",
	"release":           "entente release image.tif --pact kr-jp-2016 --purpose threat-assessment --mark 군사II급비밀 --preview",
	"approve":           "entente approve KR-2026-MYHT-301M --as second",
	"consent":           "entente consent KR-2026-MYHT-301M --recipient US --purpose threat-assessment --for 24h",
	"mandate":           "entente mandate cert-community --kind notice --subject indicator --mark TLP:AMBER --purpose incident-response",
	"withdraw":          "entente withdraw 5d1e… --note 'the need has passed'",
	"copy":              "entente copy KR-2026-MYHT-301M --holder 'operations room' --reason briefing",
	"destroy":           "entente destroy KR-2026-MYHT-301M --method erase",
	"reclassify":        "entente reclassify KR-2026-MYHT-301M --mark 군사III급비밀 --reason 'it was in the press'",
	"review":            "entente review KR-2026-MYHT-301M --for 8760h --reason 'still in use'",
	"visit ask":         "entente visit ask kr-jp-2016 KR --visitor 'Major A' --subject radar --mark 極秘",
	"visit approve":     "entente visit approve 5d1e… --mark 군사III급비밀",
	"visit end":         "entente visit end 5d1e…",
	"visit show":        "entente visit show 5d1e… KR-2026-MYHT-301M --visitor 'Major A'",
	"assure":            "entente assure kr-jp-2016 KR --meeting 'working group' --person 'head of delegation' --mark 極秘",
	"law notify":        "entente law notify kr-jp-2016 JP 'the act on military secrets is amended'",
	"law acknowledge":   "entente law acknowledge 5d1e…",
	"open-items":        "entente open-items",
	"house check":       "entente house check house.cedar",
	"house schema":      "entente house schema",
	"lend":              "entente lend KR-2026-MYHT-301M --to JP --for 24h",
	"inbox":             "entente inbox --json",
	"outbox":            "entente outbox",
	"open":              "entente open KR-2026-MYHT-301M -o image.tif",
	"why":               "entente why KR-2026-MYHT-301M --as analyst --deed pass-on --recipient US --at 2026-12-16T09:00:00+09:00",
	"status":            "entente status",
	"partner list":      "entente partner list",
	"partner know":      "entente partner know --with tokyo.example:7701 --code '2230 4915 4765 8616 3360 6434'",
	"partner card":      "entente partner card > seoul.card",
	"partner route":     "entente partner route JP --via US",
	"partner park":      "entente partner park JP --reason 'the line is tapped'",
	"partner resume":    "entente partner resume JP",
	"accredit":          "entente accredit electronic --mark 군사II급비밀 --until 2027-03-31 --by 'accreditation 7'",
	"person list":       "entente person list",
	"person add":        "entente person add analyst2 --post Analyst --offices read --clearance 군사II급비밀 --needs kr-jp-2016:threat-assessment --briefed",
	"ledger verify":     "entente ledger verify",
	"ledger rebuild":    "entente ledger rebuild",
	"ledger show":       "entente ledger show --from 100",
	"desk":              "entente desk --as officer",
	"doctor":            "entente doctor",
	"courier pack":      "entente courier pack /media/disk --to JP --courier 'Major A'",
	"courier hand-over": "entente courier hand-over /media/disk --from 'Major A' --to 'Captain B'",
	"courier take-in":   "entente courier take-in /media/disk --from 'Captain B'",
	"demo":              "entente demo --once",
	"complete":          "entente complete bash > /etc/bash_completion.d/entente",
}

// teach puts each command's example into its help.
func teach(top *kong.Node) {
	each(top, "", func(n *kong.Node, path string) {
		if s := examples[path]; s != "" {
			n.Detail = "For example: " + s
		}
	})
}
