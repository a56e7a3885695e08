// Package contract says which message each method takes and gives (chapter 6), and how a payload type names a message.
package contract

import (
	"google.golang.org/protobuf/proto"

	pb "coloan.example/interop/go/internal/coloanv1"
)

// PayloadType is the type that an envelope names for a body.
func PayloadType(body proto.Message) string {
	return "application/vnd.coloan.v1." + string(body.ProtoReflect().Descriptor().Name()) + "+protobuf"
}

// New gives an empty message of the same kind.
func New[M proto.Message](like M) M {
	return like.ProtoReflect().Type().New().Interface().(M)
}

// Method is a unary call: its name as a header says it, and the bodies of request and reply.
type Method struct {
	Name    string
	Request proto.Message
	Reply   proto.Message
}

// Methods without a fixed pair of bodies.
const (
	Deliver = "coloan.v1.JointApproval/Deliver" // a stream in both directions
	Notify  = "coloan.v1.BankInbox/Notify"      // a call of the centre to the bank
	GetKeys = "coloan.v1.Directory/GetKeys"     // also the method of a key directory by itself
)

// What a bank calls.
var (
	SubmitApplication     = Method{"coloan.v1.JointApproval/SubmitApplication", &pb.Application{}, &pb.ApplicationReceipt{}}
	SupplementApplication = Method{"coloan.v1.JointApproval/SupplementApplication", &pb.Application{}, &pb.ApplicationStatus{}}
	GetApplication        = Method{"coloan.v1.JointApproval/GetApplication", &pb.ApplicationQuery{}, &pb.ApplicationView{}}
	ListApplications      = Method{"coloan.v1.JointApproval/ListApplications", &pb.ApplicationListQuery{}, &pb.ApplicationList{}}
	ReportVerifications   = Method{"coloan.v1.JointApproval/ReportVerifications", &pb.VerificationReport{}, &pb.ApplicationStatus{}}
	QueryVerifications    = Method{"coloan.v1.JointApproval/QueryVerifications", &pb.VerificationQuery{}, &pb.VerificationAnswer{}}
	ReportBankDecision    = Method{"coloan.v1.JointApproval/ReportBankDecision", &pb.BankDecision{}, &pb.JointOutcome{}}
	ConfirmOffer          = Method{"coloan.v1.JointApproval/ConfirmOffer", &pb.OfferConfirmation{}, &pb.ApplicationStatus{}}
	WithdrawApplication   = Method{"coloan.v1.JointApproval/WithdrawApplication", &pb.Withdrawal{}, &pb.ApplicationStatus{}}
	WithdrawConsent       = Method{"coloan.v1.JointApproval/WithdrawConsent", &pb.ConsentWithdrawal{}, &pb.ApplicationStatus{}}
	ReportMilestone       = Method{"coloan.v1.JointApproval/ReportMilestone", &pb.Milestone{}, &pb.ApplicationStatus{}}
	AcknowledgeEvent      = Method{"coloan.v1.JointApproval/AcknowledgeEvent", &pb.Ack{}, &pb.EventState{}}
	ListEvents            = Method{"coloan.v1.JointApproval/ListEvents", &pb.EventListQuery{}, &pb.EventList{}}
	SteerEvents           = Method{"coloan.v1.JointApproval/SteerEvents", &pb.EventSteering{}, &pb.EventList{}}
	Reconcile             = Method{"coloan.v1.JointApproval/Reconcile", &pb.ReconcileQuery{}, &pb.ReconcileAnswer{}}
	Keys                  = Method{GetKeys, &pb.KeysQuery{}, &pb.KeysAnswer{}}
	RotateKey             = Method{"coloan.v1.Directory/RotateKey", &pb.KeyRotation{}, &pb.KeyRotationReceipt{}}
	GetCapabilities       = Method{"coloan.v1.Directory/GetCapabilities", &pb.CapabilitiesQuery{}, &pb.Capabilities{}}
)

var byName = func() map[string]Method {
	methods := map[string]Method{}
	for _, method := range []Method{SubmitApplication, SupplementApplication, GetApplication, ListApplications,
		ReportVerifications, QueryVerifications, ReportBankDecision, ConfirmOffer, WithdrawApplication, WithdrawConsent,
		ReportMilestone, AcknowledgeEvent, ListEvents, SteerEvents, Reconcile, Keys, RotateKey, GetCapabilities} {
		methods[method.Name] = method
	}
	return methods
}()

// Lookup finds a method by the name that a journal kept.
func Lookup(name string) (Method, bool) {
	method, found := byName[name]
	return method, found
}
