package bank

import (
	"math/big"

	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/limits"
	"coloan.example/interop/go/refusal"
)

const monthsTimesPpm = 12 * 1_000_000 // the rate of a month is rate_ppm over this

// InstalmentFen computes the first monthly instalment of a loan part: exact in whole numbers, rounded once, half up.
func InstalmentFen(part *pb.LoanPart) (int64, error) {
	if part.TermMonths < 1 || part.TermMonths > limits.TermMonths || part.RatePpm < 0 || part.AmountFen < 0 {
		return 0, refusal.FieldInvalid
	}
	var numerator, denominator *big.Int
	switch part.Method {
	case pb.RepaymentMethod_REPAYMENT_METHOD_EQUAL_PRINCIPAL:
		numerator, denominator = equalPrincipal(part)
	case pb.RepaymentMethod_REPAYMENT_METHOD_EQUAL_INSTALMENT:
		numerator, denominator = equalInstalment(part)
	default:
		return 0, refusal.FieldInvalid
	}
	instalment := divideHalfUp(numerator, denominator)
	if !instalment.IsInt64() {
		return 0, refusal.AmountInvalid
	}
	return instalment.Int64(), nil
}

// equalPrincipal is P/n + P r = P (unit + rate n) / (n unit).
func equalPrincipal(part *pb.LoanPart) (numerator, denominator *big.Int) {
	months, unit := big.NewInt(int64(part.TermMonths)), big.NewInt(monthsTimesPpm)
	numerator = new(big.Int).Mul(big.NewInt(int64(part.RatePpm)), months)
	numerator.Add(numerator, unit).Mul(numerator, big.NewInt(part.AmountFen))
	return numerator, unit.Mul(unit, months)
}

// equalInstalment is P r (1+r)^n / ((1+r)^n - 1), with both sides times unit^(n+1); P/n without interest.
func equalInstalment(part *pb.LoanPart) (numerator, denominator *big.Int) {
	principal, months := big.NewInt(part.AmountFen), big.NewInt(int64(part.TermMonths))
	if part.RatePpm == 0 {
		return principal, months
	}
	rate, unit := big.NewInt(int64(part.RatePpm)), big.NewInt(monthsTimesPpm)
	grown := new(big.Int).Exp(new(big.Int).Add(unit, rate), months, nil)
	flat := new(big.Int).Exp(unit, months, nil)
	numerator = principal.Mul(principal, rate).Mul(principal, grown)
	return numerator, flat.Sub(grown, flat).Mul(flat, unit)
}

func divideHalfUp(numerator, denominator *big.Int) *big.Int {
	twice := new(big.Int).Lsh(numerator, 1)
	return twice.Add(twice, denominator).Quo(twice, new(big.Int).Lsh(denominator, 1))
}
