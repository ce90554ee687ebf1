package desk

import (
	"slices"

	"entente/pact"
)

// Languages of the pages, in the order in which they are offered.
var languages = []string{"en", "ko", "ja"}

// named are the languages' names, each in its own.
var named = []struct{ Code, Name string }{{"en", "English"}, {"ko", "한국어"}, {"ja", "日本語"}}

// words are the strings of the pages: English, Korean, Japanese. Markings are
// data and are never translated.
var words = map[string][3]string{
	"home":         {"Overview", "개요", "概要"},
	"inbox":        {"Inbox", "받은 자료", "受信"},
	"outbox":       {"Outbox", "보낸 자료", "送信"},
	"release":      {"Release", "제공", "提供"},
	"pacts":        {"Pacts", "협정", "協定"},
	"ledger":       {"Ledger", "원장", "台帳"},
	"signout":      {"Sign out", "로그아웃", "サインアウト"},
	"signin":       {"Sign in", "로그인", "サインイン"},
	"needlink":     {"This desk opens with a one-time link. Ask for one on the node: entente desk --as NAME", "이 데스크는 일회용 링크로 열립니다. 노드에서 요청하십시오: entente desk --as 이름", "このデスクは一度限りのリンクで開きます。ノードで取得してください: entente desk --as 名前"},
	"spent":        {"This link was used or is too old. Ask for another.", "이미 사용되었거나 만료된 링크입니다. 새 링크를 요청하십시오.", "このリンクは使用済みか期限切れです。新しいリンクを取得してください。"},
	"number":       {"Number", "관리번호", "管理番号"},
	"marking":      {"Marking", "표시", "表示"},
	"title":        {"Title", "제목", "題名"},
	"kind":         {"Kind", "종류", "種別"},
	"state":        {"State", "상태", "状態"},
	"when":         {"When", "일시", "日時"},
	"from":         {"From", "제공자", "提供者"},
	"purpose":      {"Purpose", "목적", "目的"},
	"subject":      {"Subject", "주제", "主題"},
	"file":         {"File", "파일", "ファイル"},
	"nothing":      {"Nothing is here yet.", "아직 아무것도 없습니다.", "まだ何もありません。"},
	"open":         {"Open: the opening is entered in the ledger before the content is shown", "열람: 내용을 표시하기 전에 열람이 원장에 기록됩니다", "開く: 内容を表示する前に、閲覧が台帳に記録されます"},
	"asked":        {"The originator was asked for its share of the key. Open again when the answer is here.", "제공국에 키 조각을 요청했습니다. 답이 도착하면 다시 여십시오.", "提供国に鍵の分割を要求しました。回答が届いたらもう一度開いてください。"},
	"preview":      {"Show the ruling", "판정 보기", "判定を見る"},
	"send":         {"Release", "제공하기", "提供する"},
	"allowed":      {"Allowed", "허용", "許可"},
	"refused":      {"Refused", "거부", "拒否"},
	"because":      {"Because", "근거", "根拠"},
	"cure":         {"What would cure it", "해결 방법", "解決方法"},
	"duties":       {"Duties", "의무", "義務"},
	"restson":      {"The acts that the ruling rests on", "판정의 근거가 된 행위", "判断の根拠となった行為"},
	"willsee":      {"The other side will see", "상대방에게 보이는 표시", "相手側の表示"},
	"map":          {"Nuclear tests (circles), launches (triangles) and images (dashed)", "핵실험(원), 발사(삼각형), 영상(점선)", "核実験(円)、発射(三角)、画像(破線)"},
	"timeline":     {"The same by time", "시간순", "時系列"},
	"partners":     {"Partners", "상대방", "相手方"},
	"linked":       {"linked", "연결됨", "接続中"},
	"notlinked":    {"not linked", "연결 안 됨", "未接続"},
	"waiting":      {"acts wait", "건 대기", "件待機"},
	"entries":      {"entries", "건", "件"},
	"received":     {"received", "수령", "受領"},
	"onitsway":     {"on its way", "전달 중", "送付中"},
	"waits":        {"waits for a second person", "두 번째 담당자 대기", "二人目を待機"},
	"unapproved":   {"waits at the recipient for an approval", "수령 측에서 승인 대기", "受領側で承認を待機"},
	"opened":       {"opened", "열람됨", "閲覧済み"},
	"lineage":      {"What happened to it", "이력", "経緯"},
	"original":     {"original", "원표시", "原表示"},
	"equal":        {"equivalent", "상응 표시", "対応表示"},
	"sent":         {"Released as", "제공됨:", "提供済み:"},
	"root":         {"root", "루트", "ルート"},
	"nopicture":    {"This content cannot be shown here. Open it on the command line: entente open", "이 내용은 여기에 표시할 수 없습니다: entente open", "この内容はここに表示できません: entente open"},
	"language":     {"Language", "언어", "言語"},
	"skip":         {"Skip to the content", "본문으로 건너뛰기", "本文へ移動"},
	"notsent":      {"Nothing was sent yet. Choose the file again to release it.", "아직 아무것도 제공되지 않았습니다. 제공하려면 파일을 다시 선택하십시오.", "まだ何も提供されていません。提供するにはファイルをもう一度選んでください。"},
	"refusedsend":  {"Nothing was sent: this release is refused, by %s.", "제공되지 않았습니다. 이 제공은 다음에 따라 거부됩니다: %s.", "提供されていません。この提供は次により拒否されます: %s。"},
	"size":         {"Size", "크기", "件数"},
	"seenheads":    {"Partners' checkpoints, as last verified", "마지막으로 검증한 상대방의 체크포인트", "最後に検証した相手方のチェックポイント"},
	"headdisputed": {"this ledger is disputed", "이의가 제기된 원장", "異議のある台帳"},
	"newestonly":   {"Of the newest %d entries, those that you may know of, the newest first. All: entente ledger show", "최근 %d개 항목 중 귀하가 알 수 있는 것, 최신순. 전체: entente ledger show", "最近の%d件のうち、あなたが知り得るもの。新しい順。全件: entente ledger show"},
	"nofile":       {"No file was chosen.", "파일을 선택하지 않았습니다.", "ファイルが選ばれていません。"},
	"pact":         {"Pact", "협정", "協定"},
	"party":        {"Party", "당사국", "当事国"},
	"entry":        {"Entry", "항목", "項番"},
	"by":           {"By", "담당자", "担当者"},
	"digest":       {"Digest", "다이제스트", "ダイジェスト"},
	"notfound":     {"Nothing may be shown at this address.", "이 주소에는 표시할 것이 없습니다.", "このアドレスに表示できるものはありません。"},
	"parked":       {"parked by an officer", "담당자가 연결을 중지함", "担当官が接続を停止中"},
	"unreceipted":  {"without a receipt", "건 수령증 미도착", "件の受領書が未着"},
	"awaited":      {"whose content is on its way", "건 내용 전달 중", "件の内容が送付中"},
	"receiptlate":  {"A receipt is overdue", "수령증 기한 초과", "受領書の期限超過"},
	"behind":       {"This node's clock is behind its own last entry: nothing is entered, sent or received before", "이 노드의 시계가 자체 원장의 마지막 항목보다 늦습니다. 다음 시각까지 기록·전송·수령이 모두 중지됩니다:", "このノードの時計が台帳の最後の記録より遅れています。次の時刻まで記録・送信・受信はできません:"},
	"behindcure":   {"If this clock is wrong, set it right. If it is right, it was ahead when that was entered: wait; or begin anew in another folder, and have each partner compare codes again.", "시계가 틀렸다면 바로잡으십시오. 시계가 맞다면 그 항목이 기록될 때 시계가 앞서 있었던 것입니다. 기다리거나, 새 폴더에서 새로 시작하고 각 상대방과 코드를 다시 대조하십시오.", "時計が誤っていれば正してください。正しければ、その記録の時点で時計が進んでいました。待つか、新しいフォルダーで始め直し、各相手方と改めて符号を照合してください。"},
	"receiptheld":  {"Our receipt has not been carried in time", "우리 측 수령증 전달 기한 초과", "我が方の受領書の送付期限超過"},
	"contentlate":  {"Content released to us is overdue", "우리에게 제공된 내용의 도착 기한 초과", "我が方へ提供された内容の到着期限超過"},
	"via":          {"by way of", "경유:", "経由:"},
	"refusedby":    {"Refused by", "거부한 당사자:", "拒否した当事者:"},

	"version":        {"Version", "판", "版"},
	"next":           {"Next", "다음", "次"},
	"readings":       {"How each party reads the state", "당사자별 상태 해석", "各当事者による状態の解釈"},
	"reading":        {"Reading", "해석", "解釈"},
	"endson":         {"Ends on", "종료일", "終了日"},
	"disputed":       {"The parties read this differently", "당사자 간 해석 불일치", "当事者間の解釈の不一致"},
	"strict":         {"Until they agree, new transfers follow the stricter reading", "해석이 일치할 때까지 새로운 제공에는 더 엄격한 해석을 적용합니다", "解釈が一致するまで、新たな提供にはより厳格な解釈を適用します"},
	"openitems":      {"Open, and who must act", "미결 사항과 담당 당사자", "未了の事項と担当の当事者"},
	"nothingopen":    {"Nothing waits for anybody.", "미결 사항이 없습니다.", "未了の事項はありません。"},
	"whoacts":        {"Who must act", "담당 당사자", "担当の当事者"},
	"lawopen":        {"Acknowledgement of a notice of law", "법령 변경 통보의 확인", "法令の変更の通報の確認"},
	"visitopen":      {"Answer to a visit that was asked for", "신청된 방문에 대한 회답", "申請された訪問への回答"},
	"life":           {"The life of the pact", "협정의 경과", "協定の経過"},
	"astable":        {"The table tells the same in words.", "같은 내용을 표로도 제공합니다.", "同じ内容を表でも示します。"},
	"happened":       {"What", "내용", "内容"},
	"present":        {"now", "현재", "現在"},
	"ahead":          {"expected", "예정", "予定"},
	"protection":     {"Protection of what was shared stays, also after the end", "제공된 정보의 보호는 종료 후에도 계속된다", "提供された情報の保護は、終了後も継続する"},
	"pacttext":       {"The text", "본문", "条文"},
	"amended":        {"amended", "개정됨", "改正済み"},
	"keepsterms":     {"what was shared under it keeps its terms", "이에 따라 제공된 정보에는 종전의 조건이 적용된다", "これに基づいて提供された情報には、従前の条件が適用される"},
	"why":            {"Rulings", "판정", "判断"},
	"explain":        {"Explain it", "판정과 근거", "判断と根拠"},
	"refusals":       {"What was refused to you", "거부된 요청", "拒否された要請"},
	"keptrefusal":    {"The refusal is entered, and is explained again at", "거부는 원장에 기록되었으며 다음에서 다시 볼 수 있습니다:", "拒否は台帳に記録され、次でもう一度確認できます:"},
	"deed":           {"Deed", "행위", "行為"},
	"asofwhen":       {"As of a moment, or just before an entry", "기준 일시 또는 직전 항목 번호", "基準の日時、又は直前の項番"},
	"steps":          {"Each step that we may take", "우리가 할 수 있는 조치", "我が方がとり得る措置"},
	"stepopen":       {"open", "가능", "可能"},
	"stepclosed":     {"closed", "불가", "不可"},
	"stands":         {"it stands", "유효하다", "有効である"},
	"standsnot":      {"it lets nothing happen", "효력이 없다", "効力がない"},
	"endsby":         {"by itself it ends at %s", "기한: %s", "期限: %s"},
	"ruledyes":       {"allowed", "허용", "許可"},
	"ruledno":        {"refused", "거부", "拒否"},
	"ruledhead":      {"%s of %s%s %s: ", "%[2]s %[1]s%[3]s, %[4]s: ", "%[2]s %[1]s%[3]s、%[4]s: "},
	"byperson":       {" by %s", " (%s)", "（%s）"},
	"now":            {"now", "현재", "現在"},
	"asof":           {"as of %s, by the first %d entries", "%s 기준, 원장의 처음 %d건", "%s現在、台帳の最初の%d件による"},
	"remedy":         {"cure", "해결 방법", "解決方法"},
	"duty":           {"duty", "의무", "義務"},
	"restsentry":     {"rests on entry %d  %s  %s  %s", "근거: 항목 %d  %s  %s  %s", "根拠: 項番 %d  %s  %s  %s"},
	"restsarticles":  {"rests on %s", "근거: %s", "根拠: %s"},
	"astoday":        {"asked as it is today, for the ledger does not keep it: %s", "원장에 남지 아니하므로 현재의 내용으로 판정함: %s", "台帳に残らないため、現在の内容により判断した: %s"},
	"releasedby":     {"%s  %s  %s, released by %s under %s", "%s  %s  %s, 제공자: %s, 협정: %s", "%s  %s  %s、提供者: %s、協定: %s"},
	"entryword":      {"entry", "항목", "項番"},
	"nothingrefused": {"nothing was refused to %s", "%s: 거부된 것이 없다", "%s: 拒否されたものはない"},
	"uses":           {"used %d of %d times", "%[2]d회 중 %[1]d회 사용", "%[2]d回中%[1]d回使用"},
	"waitsfor":       {"it waits: %s", "대기 중: %s", "待機中: %s"},
	"dueby":          {"%s by %s", "%s, 담당: %s", "%s、担当: %s"},
	"ourlaw":         {"our own law, house.cedar", "우리의 국내 규칙(house.cedar)", "我が方の国内規則（house.cedar）"},
	"twopersons":     {"the level from which two persons release", "두 사람의 승인이 필요한 등급", "二人の承認を要する区分"},
	"reminders":      {"A notice deadline is near", "종료 통보 기한 임박", "終了の通告の期限が近い協定"},
}

// terms are the words of acts that the pages translate: kinds of product. The
// phases of a pact are pact's words. One that is neither is shown as it is.
var terms = map[string][3]string{
	"report":     {"report", "보고", "報告"},
	"assessment": {"assessment", "평가", "評価"},
	"imagery":    {"imagery", "영상", "画像"},
	"notice":     {"notice", "통보", "通報"},
	"amended":    {"amended", "개정됨", "改正済み"},

	// Deeds, and the steps of a pact's life.
	"extract": {"extract", "발췌", "抜粋"}, "show": {"show", "방문자에게 열람", "訪問者への開示"}, "review": {"review", "보유 필요의 검토", "保有の必要性の見直し"}, "release": {"release", "제공", "提供"}, "accept": {"accept", "접수", "受領"}, "stand": {"standing", "효력", "効力"},
	"pact.initialled": {"initialled", "가서명", "仮署名"}, "pact.approved": {"approved", "국내 승인", "国内の承認"}, "pact.signed": {"signed", "서명", "署名"}, "pact.notified": {"notified", "국내 절차 완료의 통보", "国内手続の完了の通告"}, "pact.cancelled": {"cancelled", "발효 전 폐기", "効力発生前の取りやめ"},
	"pact.notice": {"notice", "종료 통보", "終了の通告"}, "pact.notice-suspended": {"notice-suspended", "종료 통보의 효력 정지", "終了の通告の効力の停止"}, "pact.notice-withdrawn": {"notice-withdrawn", "종료 통보의 철회", "終了の通告の撤回"}, "pact.read": {"read", "해석의 표명", "解釈の表明"},
}

// term returns the function that templates translate the words of acts with.
func term(lang string) func(string) string {
	return func(t string) string {
		if w, ok := terms[t]; ok {
			return w[slices.Index(languages, lang)]
		}
		return pact.Phase(t).In(lang)
	}
}

// say returns the function that templates look words up with.
func say(lang string) func(string) string {
	at := max(0, slices.Index(languages, lang))
	return func(key string) string {
		w, ok := words[key]
		if !ok {
			panic("desk: no word for " + key)
		}
		return w[at]
	}
}
