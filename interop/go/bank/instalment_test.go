package bank

import (
	"errors"
	"math"
	"testing"

	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/refusal"
)

const (
	equalInstalments = pb.RepaymentMethod_REPAYMENT_METHOD_EQUAL_INSTALMENT
	equalPrincipals  = pb.RepaymentMethod_REPAYMENT_METHOD_EQUAL_PRINCIPAL
)

// Covers: COL-OFR-010
func TestInstalmentFen(t *testing.T) {
	for _, row := range []struct {
		amountFen int64
		ratePpm   int32
		months    int32
		method    pb.RepaymentMethod
		want      int64
	}{
		{80_000_000, 26_000, 360, equalInstalments, 320_272},  // of the specification
		{24_000_000, 30_500, 360, equalInstalments, 101_833},  // of its worked example
		{100_000_000, 26_000, 360, equalInstalments, 400_340}, // published
		{100_000_000, 30_750, 360, equalInstalments, 425_660},
		{80_000_000, 0, 360, equalInstalments, 222_222},
		{100, 0, 3, equalInstalments, 33},
		{5, 0, 2, equalInstalments, 3}, // half up
		{1_200_000, 120_000, 12, equalPrincipals, 112_000},
		{80_000_000, 26_000, 360, equalPrincipals, 395_556},
		{0, 26_000, 360, equalInstalments, 0},
		{1_000_000_000_000, 240_000, 480, equalInstalments, 20_001_489_292},
	} {
		got, err := InstalmentFen(&pb.LoanPart{AmountFen: row.amountFen, RatePpm: row.ratePpm, TermMonths: row.months, Method: row.method})
		if err != nil || got != row.want {
			t.Errorf("%+v: got %d, %v", row, got, err)
		}
	}
}

func TestInstalmentsThatAreNone(t *testing.T) {
	right := func() *pb.LoanPart {
		return &pb.LoanPart{AmountFen: 1, RatePpm: 1, TermMonths: 1, Method: equalInstalments}
	}
	for name, change := range map[string]func(*pb.LoanPart){
		"no term":      func(part *pb.LoanPart) { part.TermMonths = 0 },
		"a long term":  func(part *pb.LoanPart) { part.TermMonths = 481 },
		"a rate below": func(part *pb.LoanPart) { part.RatePpm = -1 },
		"a debt":       func(part *pb.LoanPart) { part.AmountFen = -1 },
		"no method":    func(part *pb.LoanPart) { part.Method = 0 },
	} {
		part := right()
		change(part)
		if _, err := InstalmentFen(part); !errors.Is(err, refusal.FieldInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	huge := &pb.LoanPart{AmountFen: math.MaxInt64, RatePpm: math.MaxInt32, TermMonths: 1, Method: equalInstalments}
	if _, err := InstalmentFen(huge); !errors.Is(err, refusal.AmountInvalid) {
		t.Errorf("what no number holds: got %v", err)
	}
}
