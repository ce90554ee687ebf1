package desk

import (
	"slices"
	"strings"

	"entente/act"
)

// kinds are the kinds of acts in words. The pages show the kind itself beside them: it
// is what the ledger keeps.
var kinds = map[act.Kind][3]string{
	act.NodeOpened:          {"node opened", "노드 개설", "ノードの開設"},
	act.PersonEnrolled:      {"person enrolled", "인원 등록", "人員の登録"},
	act.PartnerKnown:        {"partner's keys compared", "상대방 키 대조", "相手方の鍵の照合"},
	act.PartnerRouted:       {"partner's way set", "상대방 경로 지정", "相手方の経路の指定"},
	act.AuthorityNotified:   {"authority notified", "담당자 통보", "担当者の通知"},
	act.PartnerParked:       {"link parked", "연결 중지", "接続の停止"},
	act.PartnerResumed:      {"link resumed", "연결 재개", "接続の再開"},
	act.SystemAccredited:    {"system accredited", "체계 인가", "システムの認定"},
	act.PactProposed:        {"pact proposed", "협정 제안", "協定の提案"},
	act.PactInitialled:      {"pact initialled", "협정 가서명", "協定の仮署名"},
	act.PactApproved:        {"pact approved at home", "협정의 국내 승인", "協定の国内承認"},
	act.PactSigned:          {"pact signed", "협정 서명", "協定の署名"},
	act.PactNotified:        {"domestic procedures notified complete", "국내 절차 완료 통보", "国内手続の完了の通告"},
	act.PactCancelled:       {"pact cancelled before entry into force", "협정의 발효 전 폐기", "協定の効力発生前の取りやめ"},
	act.PactNotice:          {"notice of termination", "종료 통보", "終了の通告"},
	act.PactNoticeSuspended: {"notice suspended", "종료 통보의 효력 정지", "終了の通告の効力の停止"},
	act.PactNoticeWithdrawn: {"notice withdrawn", "종료 통보의 철회", "終了の通告の撤回"},
	act.PactRead:            {"reading of the pact declared", "협정 해석의 표명", "協定の解釈の表明"},
	act.ReleaseAsked:        {"release drafted", "제공 기안", "提供の起案"},
	act.ReleaseDenied:       {"release refused", "제공 거부", "提供の拒否"},
	act.ProductReleased:     {"product released", "자료 제공", "資料の提供"},
	act.ReleaseWaits:        {"release waits for an approval", "제공의 승인 대기", "提供の承認待ち"},
	act.ProductReceived:     {"product received", "자료 수령", "資料の受領"},
	act.ProductOpened:       {"product opened", "자료 열람", "資料の閲覧"},
	act.OpeningDenied:       {"opening refused", "열람 거부", "閲覧の拒否"},
	act.ShareAsked:          {"key share asked for", "키 조각 요청", "鍵の分割の要求"},
	act.ShareLent:           {"key share lent", "키 조각 대여", "鍵の分割の貸与"},
	act.ConsentGiven:        {"consent given", "동의", "同意"},
	act.ConsentWithdrawn:    {"consent withdrawn", "동의 철회", "同意の撤回"},
	act.MandateGiven:        {"mandate given", "위임", "委任"},
	act.MandateWithdrawn:    {"mandate withdrawn", "위임 철회", "委任の撤回"},
	act.LawNotified:         {"change of law notified", "법령 변경 통보", "法令の変更の通報"},
	act.LawAcknowledged:     {"change of law acknowledged", "법령 변경 통보의 확인", "法令の変更の通報の確認"},
	act.AssuranceGiven:      {"assurance before an oral disclosure", "구두 공개 전의 보증", "口頭開示の前の保証"},
	act.VisitAsked:          {"visit asked for", "방문 신청", "訪問の申請"},
	act.VisitApproved:       {"visit approved", "방문 승인", "訪問の承認"},
	act.VisitEnded:          {"visit ended", "방문 종료", "訪問の終了"},
	act.NeedReviewed:        {"need reviewed", "보유 필요의 검토", "保有の必要性の見直し"},
	act.ProductShown:        {"product shown to a visitor", "방문자에게 열람", "訪問者への開示"},
	act.ProductCopied:       {"product copied", "자료 복제", "資料の複製"},
	act.ProductReclassified: {"product reclassified", "비밀등급 변경", "秘密区分の変更"},
	act.ProductDestroyed:    {"product destroyed", "자료 파기", "資料の破棄"},
	act.MediumPacked:        {"medium packed", "매체 포장", "媒体の梱包"},
	act.MediumTaken:         {"medium taken in", "매체 접수", "媒体の受入れ"},
	act.ActRefused:          {"partner's act refused", "상대방 행위의 거부", "相手方の行為の拒否"},
	act.LedgerDisputed:      {"partner's ledger disputed", "상대방 원장에 대한 이의", "相手方の台帳への異議"},
}

// kind returns the function that templates tell kinds of acts with.
func kind(lang string) func(act.Kind) string {
	return func(k act.Kind) string { return kinds[k][slices.Index(languages, lang)] }
}

// troubles are the causes for which there is no link, by what the carriage says of each.
var troubles = []struct{ says, ko, ja string }{
	{"is not the one pinned for", "상대방이 보인 키가 고정된 키와 다릅니다. 거부하거나, 상대방이 키를 바꾸었다면 코드를 다시 대조하십시오.", "相手方の示した鍵が登録した鍵と異なります。拒否するか、相手方が鍵を変えたのであればコードを改めて照合してください。"},
	{"is not known here: compare codes first", "아직 등록되지 않은 상대방입니다. 먼저 코드를 대조하십시오.", "まだ登録されていない相手方です。まずコードを照合してください。"},
	{"differs from ours by", "상대방과 시계가 다릅니다. 틀린 쪽을 맞추십시오.", "相手方と時計が異なります。誤っている側を合わせてください。"},
	{"connection refused", "상대방 주소에서 응답하는 노드가 없습니다.", "相手方のアドレスで応答するノードがありません。"},
	{"i/o timeout", "상대방이 제한 시간 안에 응답하지 않습니다.", "相手方が制限時間内に応答しません。"},
	{"did not end its greeting", "상대방이 제한 시간 안에 응답하지 않습니다.", "相手方が制限時間内に応答しません。"},
	{"no address is known", "상대방의 주소를 모릅니다. 상대방이 연결해 오기를 기다립니다.", "相手方のアドレスが分かりません。相手方からの接続を待ちます。"},
	{"is disputed", "상대방의 원장에 이의가 제기되어 있습니다.", "相手方の台帳に異議が出されています。"},
	{"is parked", "연결이 중지되어 있습니다.", "接続が停止されています。"},
	{"went over a limit", "상대방이 연결의 한도를 넘었습니다.", "相手方が接続の上限を超えました。"},
	{"the peer refuses", "상대방이 연결을 거부합니다.", "相手方が接続を拒否しています。"},
}

// trouble returns the function that templates tell the cause of a missing link with: in
// English the carriage's own words do, which stand beside it; and so for what has no other.
func trouble(lang string) func(string) string {
	return func(text string) string {
		for _, t := range troubles {
			if strings.Contains(text, t.says) {
				return map[string]string{"ko": t.ko, "ja": t.ja}[lang]
			}
		}
		return ""
	}
}
