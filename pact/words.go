package pact

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"entente/act"
)

// words are the fixed words of a printed pact: English, with Korean and
// Japanese beside it. Markings are data and are never translated; a word of a
// pact's own that is not here stands as it is.
var words = map[string][2]string{
	// The parts of a text.
	"Article %d":          {"제%d조", "第%d条"},
	"Title":               {"제목", "題名"},
	"Notes":               {"비고", "備考"},
	"The parties":         {"당사자", "当事者"},
	"Equivalent markings": {"상응하는 표시", "対応する表示"},
	"Terms":               {"조건", "条件"},
	"Duties":              {"의무", "義務"},
	"kept by the machine": {"기계가 지킴", "機械が守る"},
	"people record":       {"사람이 기록함", "人が記録する"},
	"until %s":            {"%s까지", "%sまで"},
	"to be checked against the official text":               {"공식 본문과 대조 필요", "公式の条文との照合が必要"},
	"The authentic text is in %s.":                          {"정본은 %s으로 작성되었다.", "正文は%sである。"},
	"What is given in English alone stands in English: %s.": {"다음 중 국문이 없는 부분은 영문으로 표시한다: %s.", "次のうち日本語文のない部分は英文で示す: %s。"},
	", ":       {", ", "、"},
	"English":  {"영문", "英語"},
	"Korean":   {"국문", "韓国語"},
	"Japanese": {"일문", "日本語"},
	"French":   {"불문", "フランス語"},

	// The terms.
	"binding force":                   {"구속력", "拘束力"},
	"topology":                        {"전달 구조", "伝達の構成"},
	"the hub reads":                   {"허브의 열람", "ハブによる閲覧"},
	"subject %s":                      {"대상: %s", "対象: %s"},
	"form %s":                         {"형태: %s", "形態: %s"},
	"duty to provide":                 {"제공 의무", "提供の義務"},
	"floor":                           {"최저 등급", "最低の区分"},
	"ceiling":                         {"최고 등급", "最高の区分"},
	"channel %s":                      {"전달 수단: %s", "送付の手段: %s"},
	"up to %s":                        {"%s까지", "%sまで"},
	"up to %s, under %s":              {"%s까지, %s에 따름", "%sまで、%sによる"},
	"ways":                            {"전달 경로", "送付の経路"},
	"each party reaches each":         {"각 당사자 상호 간", "全ての当事者の相互間"},
	"leg to %s":                       {"%s와의 구간", "%sとの区間"},
	"leg to %s by %s":                 {"%s와의 구간, 수단: %s", "%sとの区間、手段: %s"},
	"third party":                     {"제3자 제공", "第三者への提供"},
	"audience of %s":                  {"%s의 배포 범위", "%sの配布範囲"},
	"counts as a third party: %s":     {"제3자로 봄: %s", "第三者とみなす: %s"},
	"purpose %s":                      {"목적: %s", "目的: %s"},
	"use":                             {"사용", "使用"},
	"clearance":                       {"비밀취급 인가", "適格性"},
	"never":                           {"불필요", "不要"},
	"from %s":                         {"%s부터", "%sから"},
	"competent authority":             {"권한 있는 당국", "権限のある当局"},
	"not named":                       {"지정되지 않음", "指定なし"},
	"office %s":                       {"부서: %s", "部署: %s"},
	"receipt":                         {"수령증", "受領書"},
	"from %s within %s":               {"%[1]s부터, %[2]s 이내", "%[1]sから、%[2]s以内"},
	"copies":                          {"복제", "複製"},
	"translations":                    {"번역", "翻訳"},
	"extracts":                        {"발췌", "抜粋"},
	"always the originator's consent": {"항상 생산자의 동의 필요", "常に作成元の同意が必要"},
	"copies of one product":           {"자료당 복제본", "資料ごとの複製物"},
	"at most %d":                      {"최대 %d부", "最大%d部"},
	"destroyed by":                    {"파기 방법", "破壊の方法"},
	"any means":                       {"제한 없음", "制限なし"},
	"destroyed by: %s":                {"파기 방법: %s", "破壊の方法: %s"},
	"witnesses":                       {"입회자", "立会人"},
	"certificate kept":                {"파기증명서 보존", "破壊証明書の保存"},
	"contractors":                     {"계약업체", "契約者"},
	"security follows the place of performance": {"이행지의 보안 규정 적용", "履行地の保安規則の適用"},
	"loss or compromise":                        {"분실 또는 누설", "紛失又は漏せつ"},
	"told immediately":                          {"즉시 통보", "直ちに通報"},
	"told within %s":                            {"%s 이내 통보", "%s以内に通報"},
	"possible loss or compromise":               {"분실 또는 누설의 가능성", "紛失又は漏せつの可能性"},
	"told too":                                  {"통보함", "通報する"},
	"not told":                                  {"통보하지 않음", "通報しない"},
	"visits":                                    {"방문", "訪問"},
	"asked for %s before":                       {"%s 전 신청", "%s前に申請"},
	"inspection":                                {"점검", "視察"},
	"start":                                     {"발효", "効力発生"},
	"applied provisionally":                     {"잠정 적용", "暫定的適用"},
	"term":                                      {"유효기간", "有効期間"},
	"%s, extended each time":                    {"%s, 매번 연장", "%s、その都度延長"},
	"without end":                               {"무기한", "無期限"},
	"notice":                                    {"종료 통보", "終了の通告"},
	"anniversary":                               {"기준일", "起算日"},
	"time zone":                                 {"시간대", "時間帯"},
	"suspension of a notice":                    {"종료 통보의 정지", "終了の通告の停止"},
	"known":                                     {"규정 있음", "規定あり"},
	"not in the text":                           {"규정 없음", "規定なし"},
	"amendment":                                 {"개정", "改正"},
	"authentic languages":                       {"정본 언어", "正文の言語"},
	"the text is":                               {"본문의 공개", "条文の公開"},
	"disputes":                                  {"분쟁 해결", "紛争の解決"},
	"costs":                                     {"비용", "費用"},
	"implements":                                {"이행하는 협정", "実施する協定"},
	"supplements":                               {"보충하는 협정", "補足する協定"},
	"protected by":                              {"보호의 근거", "保護の根拠"},
	"supersedes":                                {"대체하는 협정", "代替する協定"},
	"reported to":                               {"보고 대상", "報告先"},
	"%s, every %s":                              {"%s, %s마다", "%s、%sごと"},
	"%d hour":                                   {"%d시간", "%d時間"},
	"%d day":                                    {"%d일", "%d日"},
	"%d month":                                  {"%d개월", "%d箇月"},
	"%d year":                                   {"%d년", "%d年"},
	"%d mistake":                                {"잘못 %d건", "誤り%d件"},
	"yes":                                       {"예", "はい"},
	"no":                                        {"아니오", "いいえ"},

	// The words that a text chooses from.
	"treaty": {"조약", "条約"}, "arrangement": {"약정", "取決め"}, "exchange-of-notes": {"각서 교환", "交換公文"}, "membership": {"회원 규약", "会員規約"},
	"direct": {"직접", "直接"}, "hub": {"허브", "ハブ"}, "mesh": {"상호 연결", "相互接続"},
	"state": {"국가", "国家"}, "ministry": {"부처", "省庁"}, "organisation": {"기관", "組織"}, "agency": {"청", "庁"}, "company": {"기업", "企業"},
	"security": {"보안 당국", "保安当局"}, "designated-security": {"지정 보안 당국", "指定保安当局"}, "registry": {"문서 관리 부서", "文書登録部署"}, "contact": {"연락처", "連絡先"},
	"oral": {"구두", "口頭"}, "visual": {"시각", "視覚"}, "electronic": {"전자", "電子"}, "magnetic": {"자기", "磁気"}, "documentary": {"문서", "文書"}, "equipment": {"장비", "装備"}, "technology": {"기술", "技術"},
	"none": {"없음", "なし"}, "on-request": {"요청 시", "要請による"}, "standing": {"상시", "常時"},
	"consent": {"동의", "同意"}, "audience": {"표시에 따름", "表示による"},
	"recipients": {"수신자", "受信者"}, "clients": {"고객", "顧客"}, "community": {"공동체", "共同体"}, "public": {"공개", "公開"}, "closed": {"비공개", "非公開"},
	"contractor": {"계약업체", "契約者"}, "overseer": {"감독기관", "監督機関"}, "court": {"법원", "裁判所"},
	"bound": {"제공 목적에 한정", "提供の目的に限る"}, "framework": {"협정의 목적 내", "協定の目的の範囲内"}, "free": {"자유", "自由"},
	"minimum": {"필요 최소한", "必要最小限"}, "forbidden": {"금지", "禁止"}, "conditions": {"조건부 허용", "条件付きで許可"},
	"burn": {"소각", "焼却"}, "shred": {"세절", "細断"}, "pulp": {"용해", "溶解"}, "erase": {"삭제", "消去"}, "melt": {"용융", "溶融"}, "other-irreversible": {"그 밖에 복원할 수 없는 방법", "その他復元不可能な方法"},
	"mutual": {"상호", "相互"}, "later-notification": {"나중의 통보를 접수한 날", "遅い方の通告の受領の日"}, "signature": {"서명한 날", "署名の日"}, "first-of-month": {"나중의 통보 다음 달 1일", "遅い方の通告の翌月の初日"},
	"notes": {"각서 교환", "公文の交換"}, "authorities": {"권한 있는 당국", "権限のある当局"}, "consultation": {"협의", "協議"}, "own": {"각자 부담", "各自の負担"}, "shared": {"공동 부담", "共同の負担"},
	"parliament": {"의회", "議会"}, "board": {"이사회", "理事会"},

	// Common words of pacts that a text may also choose otherwise.
	"courier": {"인편", "伝書使"}, "nuclear-test": {"핵실험", "核実験"}, "missile-launch": {"미사일 발사", "ミサイル発射"}, "imagery": {"영상", "画像"}, "defence": {"방위", "防衛"},
	"counter-terrorism": {"대테러", "テロ対策"}, "cyber": {"사이버", "サイバー"}, "procurement": {"조달", "調達"}, "foreign-policy": {"외교 정책", "外交政策"},
	"incident": {"사고", "インシデント"}, "vulnerability": {"취약점", "脆弱性"}, "indicator": {"침해지표", "侵害指標"},

	// What the machine keeps.
	"nothing moves but under a pact in force":                                                {"발효 중인 협정에 따르지 아니하고는 어떤 정보도 전달되지 아니한다", "効力を有する協定によらない限り、いかなる情報も送付されない"},
	"only what the pact covers, in the forms that it names":                                  {"협정이 정한 대상과 형태의 정보만을 다룬다", "協定が定める対象及び形態の情報のみを扱う"},
	"marks are equal as the table says, between its floor and its ceiling":                   {"표시는 최저 등급과 최고 등급 사이에서 표에 따라 상응한다", "表示は、最低の区分から最高の区分までの間で表に従い対応する"},
	"only the originator lowers a mark":                                                      {"생산자만이 비밀등급을 낮춘다", "作成元のみが秘密指定の区分を下げる"},
	"no release to others but as the text or the originator's written approval allows":       {"본문 또는 생산자의 서면 승인이 허용하지 아니하는 한 제3자에게 제공되지 아니한다", "条文又は作成元の書面による承認が認めない限り、第三者に提供されない"},
	"no use for another purpose but as the text or the originator's written approval allows": {"본문 또는 생산자의 서면 승인이 허용하지 아니하는 한 다른 목적으로 사용되지 아니한다", "条文又は作成元の書面による承認が認めない限り、他の目的に使用されない"},
	"only persons whose clearance reaches the level":                                         {"해당 등급의 비밀취급 인가를 받은 인원에 한한다", "当該区分を取り扱う適格性を有する者に限る"},
	"rank, post or clearance alone gives no access":                                          {"계급, 직책 또는 인가만으로는 접근할 수 없다", "階級、地位又は適格性のみによっては取り扱うことができない"},
	"before an oral disclosure the receiver assures clearance and need":                      {"구두 공개에 앞서 접수자가 인가와 알 필요를 보증한다", "口頭での開示に先立ち、受領者が適格性及び知る必要を保証する"},
	"visitors see only what the host approved, up to its mark, while it lasts":               {"방문자는 방문을 받는 쪽이 승인한 범위, 등급 및 기간 내에서만 열람한다", "訪問者は、受入れ側の承認の範囲、区分及び期間内でのみ閲覧する"},
	"what is no longer needed is returned or destroyed":                                      {"더 이상 필요하지 아니한 정보는 반환하거나 파기한다", "必要でなくなった情報は返還し、又は破壊する"},
	"each facility keeps a register of persons":                                              {"각 시설은 인원 명부를 유지한다", "各施設は取扱者の名簿を保持する"},
	"persons are told their duties":                                                          {"인원은 자신의 의무를 교육받는다", "取扱者はその義務の説明を受ける"},
	"things travel by the channels named, up to the ceiling of each":                         {"정보는 정해진 수단으로 각 수단의 최고 등급까지만 전달된다", "情報は、定められた手段により、各手段の最高の区分まで送付される"},
	"only systems whose accreditation has not ended carry":                                   {"보안 인증이 유효한 체계만이 전달한다", "認定が有効なシステムのみが送付する"},
	"receipts are signed by the final recipient and returned":                                {"수령증은 최종 접수자가 서명하여 반송한다", "受領書は最終の受領者が署名して返送する"},
	"only authorities that were notified act":                                                {"통보된 당국만이 행위한다", "通告された当局のみが行為する"},
	"a class of products may go at once, by mandate":                                         {"위임에 따라 일정 종류의 자료는 즉시 제공될 수 있다", "委任により、一定の種類の資料は直ちに提供することができる"},
	"the originator may keep a share of the key":                                             {"생산자는 키의 일부를 보유할 수 있다", "作成元は鍵の一部を保持することができる"},
	"copies are few, numbered and held by somebody":                                          {"복제본은 최소한으로 하고 번호와 보유자를 둔다", "複製物は最小限とし、番号及び保持者を定める"},
	"translations are made by the cleared, with both marks":                                  {"번역은 인가된 인원이 하고 양쪽의 표시를 붙인다", "翻訳は適格性を有する者が行い、双方の表示を付する"},
	"destruction is beyond reconstruction, against a certificate":                            {"파기는 복원할 수 없도록 하고 파기증명서를 남긴다", "破壊は復元不可能とし、証明書を残す"},
	"protection outlives the pact":                                                           {"보호는 협정의 종료 후에도 계속된다", "保護は協定の終了後も継続する"},
	"the pact begins, is extended and ends as its text says":                                 {"협정은 본문에 따라 발효하고 연장되며 종료한다", "協定は条文に従い効力を生じ、延長され、終了する"},

	// The deeds, and the duties that come with them.
	"transfer": {"제공", "提供"}, "read": {"열람", "閲覧"}, "pass-on": {"제3자 제공", "第三者への提供"}, "copy": {"복제", "複製"}, "translate": {"번역", "翻訳"}, "downgrade": {"등급 하향", "区分の引下げ"}, "destroy": {"파기", "破壊"},
	"mark with the provider's name and the own equivalent":                          {"제공당사자의 명칭과 자기의 상응하는 표시를 붙인다", "提供締約国の名称及び自己の対応する表示を付する"},
	"receipt signed by the final recipient within %s":                               {"%s 이내에 최종 접수자가 수령증에 서명한다", "%s以内に最終の受領者が受領書に署名する"},
	"no other purpose and no third party without the originator's written approval": {"제공당사자의 서면 승인 없이 다른 목적으로 사용하거나 제3자에게 제공하지 아니한다", "提供締約国の書面による承認なしに、他の目的に使用せず、第三者に提供しない"},
	"return or destroy when no longer needed":                                       {"더 이상 필요하지 아니하면 반환하거나 파기한다", "必要でなくなったときは返還し、又は破壊する"},
	"all original marks stay":                                                       {"모든 원표시를 유지한다", "全ての原表示を維持する"},
	"the approval of each originator goes with it":                                  {"각 제공당사자의 승인을 첨부한다", "各提供締約国の承認を添付する"},
	"the recipient protects it at least equally":                                    {"접수자는 적어도 동등하게 보호한다", "受領者は少なくとも同等に保護する"},
	"all original marks are reproduced":                                             {"모든 원표시를 함께 복제한다", "全ての原表示を複製する"},
	"the copy is numbered and has a holder":                                         {"복제본에 번호와 보유자를 정한다", "複製物に番号及び保持者を定める"},
	"the same controls as the original":                                             {"원본과 동일하게 통제한다", "原本と同一の管理を行う"},
	"the marks in both languages":                                                   {"양 언어로 표시한다", "双方の言語で表示する"},
	"a note that it contains information of its originator":                         {"제공당사자의 정보를 포함한다는 문구를 붙인다", "提供締約国の情報を含む旨の注記を付する"},
	"by a cleared translator":                                                       {"인가된 번역자가 번역한다", "適格性を有する翻訳者が行う"},
	"every copy and every derived product is marked anew":                           {"모든 복제본과 파생 자료의 표시를 바꾼다", "全ての複製物及び派生資料の表示を改める"},
	"report back to the originator":                                                 {"제공당사자에게 결과를 보고한다", "提供締約国に結果を報告する"},
	"a certificate with method and witness, without content":                        {"내용 없이 방법과 입회자를 적은 증명서를 작성한다", "内容を記さず、方法及び立会人を記した証明書を作成する"},

	// A pact's life.
	"proposed": {"제안됨", "提案済み"}, "initialled": {"가서명됨", "仮署名済み"}, "approved": {"승인됨", "承認済み"}, "signed": {"서명됨", "署名済み"}, "notified by some": {"일부 통보됨", "一部通告済み"},
	"in force": {"발효 중", "発効中"}, "in force, notice of termination given": {"발효 중, 종료 통보됨", "発効中、終了通告済み"}, "in force, notice of termination suspended": {"발효 중, 종료 통보 정지", "発効中、終了通告停止"},
	"terminated": {"종료됨", "終了"}, "cancelled": {"폐기됨", "廃案"},
	"proposal": {"제안", "提案"}, "initialling": {"가서명", "仮署名"}, "approval at home": {"국내 승인", "国内の承認"}, "signing": {"서명", "署名"}, "notification": {"국내 절차 완료의 통보", "国内手続の完了の通告"}, "scrapping": {"발효 전 폐기", "効力発生前の取りやめ"},
	"entry into force": {"발효", "効力発生"},
	"notice of termination: by it the pact ends on %s":                 {"종료 통보: 이에 따르면 협정은 %s에 종료한다", "終了の通告: これによれば、協定は%sに終了する"},
	"the notice came late: by this reading the pact ends on %s":        {"종료 통보가 늦게 도달함: 이 해석에 따르면 협정은 %s에 종료한다", "終了の通告の到達の遅延: この解釈によれば、協定は%sに終了する"},
	"the suspension came late: by this reading it has no effect":       {"종료 통보의 효력 정지가 늦게 도달함: 이 해석에 따르면 효력이 없다", "終了の通告の効力の停止の到達の遅延: この解釈によれば、効力を有しない"},
	"the withdrawal came late: by this reading it has no effect":       {"종료 통보의 철회가 늦게 도달함: 이 해석에 따르면 효력이 없다", "終了の通告の撤回の到達の遅延: この解釈によれば、効力を有しない"},
	"refusal of the notice: by this reading it has no effect":          {"종료 통보의 거부: 이 해석에 따르면 그 통보는 효력이 없다", "終了の通告の拒否: この解釈によれば、当該通告は効力を有しない"},
	"suspension of the notice":                                         {"종료 통보의 효력 정지", "終了の通告の効力の停止"},
	"withdrawal of the notice":                                         {"종료 통보의 철회", "終了の通告の撤回"},
	"declared reading: %s":                                             {"해석의 표명: %s", "解釈の表明: %s"},
	"the pact ends":                                                    {"협정의 종료", "協定の終了"},
	"the pact is extended":                                             {"협정의 연장", "協定の延長"},
	"last moment for a notice":                                         {"종료 통보의 기한", "終了の通告の期限"},
	"in force without end":                                             {"기한 없이 발효 중", "期限なく効力を有する"},
	"protection of what was shared stays":                              {"제공된 정보의 보호는 계속된다", "提供された情報の保護は継続する"},
	"the suspended notice is withdrawn or renewed":                     {"정지된 종료 통보의 철회 또는 재개", "停止された終了の通告の撤回又は再開"},
	"consultation: the parties read the state of the pact differently": {"협의: 당사자 간에 협정의 상태에 대한 해석이 다르다", "協議: 協定の状態についての当事者の解釈が異なる"},
	"no more than %d days to the last moment for a notice, %s":         {"종료 통보의 기한까지 %d일 이내: %s", "終了の通告の期限まで%d日以内: %s"},
}

// sentences say in words what the machine keeps by a clause.
var sentences = map[Clause]string{
	InForce:           "nothing moves but under a pact in force",
	Subjects:          "only what the pact covers, in the forms that it names",
	Markings:          "marks are equal as the table says, between its floor and its ceiling",
	Reclassification:  "only the originator lowers a mark",
	ThirdParty:        "no release to others but as the text or the originator's written approval allows",
	Purpose:           "no use for another purpose but as the text or the originator's written approval allows",
	Clearance:         "only persons whose clearance reaches the level",
	NeedToKnow:        "rank, post or clearance alone gives no access",
	Assurance:         "before an oral disclosure the receiver assures clearance and need",
	Visiting:          "visitors see only what the host approved, up to its mark, while it lasts",
	Review:            "what is no longer needed is returned or destroyed",
	Register:          "each facility keeps a register of persons",
	Briefing:          "persons are told their duties",
	Channels:          "things travel by the channels named, up to the ceiling of each",
	Accreditation:     "only systems whose accreditation has not ended carry",
	Receipts:          "receipts are signed by the final recipient and returned",
	Authorities:       "only authorities that were notified act",
	StandingAuthority: "a class of products may go at once, by mandate",
	OriginatorControl: "the originator may keep a share of the key",
	Reproduction:      "copies are few, numbered and held by somebody",
	Translation:       "translations are made by the cleared, with both marks",
	Destruction:       "destruction is beyond reconstruction, against a certificate",
	Survival:          "protection outlives the pact",
	Duration:          "the pact begins, is extended and ends as its text says",
}

var languages = map[string]string{"en": "English", "ko": "Korean", "ja": "Japanese", "fr": "French"}

// tongue is a language that a pact is told in.
type tongue struct {
	lang    string // en, ko, ja
	missing bool   // something was asked for that is given in English alone
}

// say returns a fixed word or sentence, with its holes filled.
func (t *tongue) say(word string, holes ...any) string {
	if w, ok := words[word]; ok && t.lang == "ko" {
		word = w[0]
	} else if ok && t.lang == "ja" {
		word = w[1]
	}
	if len(holes) == 0 {
		return word
	}
	return fmt.Sprintf(word, holes...)
}

// languages says the names of languages, one after the other.
func (t *tongue) languages(codes []string) string {
	var said []string
	for _, c := range codes {
		said = append(said, t.say(cmp.Or(languages[c], c)))
	}
	return strings.Join(said, t.say(", "))
}

// in returns what the text gives in this language, or else the English.
func (t *tongue) in(n act.Names) string {
	if n.EN != "" && (t.lang == "ko" && n.KO == "" || t.lang == "ja" && n.JA == "") {
		t.missing = true
	}
	return n.In(t.lang)
}

// count says a number of hours, days, months or years.
func (t *tongue) count(n int, unit string) string {
	s := t.say("%d "+unit, n)
	if t.lang == "en" && n != 1 {
		s += "s"
	}
	return s
}

func (t *tongue) lasting(d time.Duration) string {
	if h := int(d / time.Hour); h%24 != 0 {
		return t.count(h, "hour")
	}
	return t.count(int(d/time.Hour/24), "day")
}
