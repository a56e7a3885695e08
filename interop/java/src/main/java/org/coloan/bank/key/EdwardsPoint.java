package org.coloan.bank.key;

import com.google.protobuf.ByteString;
import java.math.BigInteger;
import java.util.Optional;

/**
 * A point of edwards25519, as far as it takes to judge public keys and R of signatures: the JDK decodes
 * points but does not refuse those of small order. Everything here is public, so nothing has to run in
 * constant time.
 */
record EdwardsPoint(BigInteger x, BigInteger y, BigInteger z) {
    static final int BYTES = 32;
    private static final BigInteger P = BigInteger.ONE.shiftLeft(255).subtract(BigInteger.valueOf(19));
    private static final BigInteger ORDER =
            BigInteger.ONE.shiftLeft(252).add(new BigInteger("27742317777372353535851937790883648493"));
    private static final BigInteger D = BigInteger.valueOf(-121665)
            .multiply(BigInteger.valueOf(121666).modInverse(P))
            .mod(P);
    private static final BigInteger ROOT_OF_MINUS_ONE =
            BigInteger.TWO.modPow(P.subtract(BigInteger.ONE).shiftRight(2), P);
    private static final EdwardsPoint IDENTITY = new EdwardsPoint(BigInteger.ZERO, BigInteger.ONE, BigInteger.ONE);
    private static final BigInteger COFACTOR = BigInteger.valueOf(8);

    /** Strictly as RFC 8032, 5.1.3: nothing for what is not on the curve or is not written in the one way. */
    static Optional<EdwardsPoint> decode(ByteString bytes) {
        if (bytes.size() != BYTES) {
            return Optional.empty();
        }
        BigInteger number = littleEndian(bytes);
        boolean odd = number.testBit(255);
        BigInteger y = number.clearBit(255);
        return y.compareTo(P) >= 0
                ? Optional.empty()
                : recoverX(y, odd).map(x -> new EdwardsPoint(x, y, BigInteger.ONE));
    }

    private static BigInteger littleEndian(ByteString bytes) {
        byte[] reversed = new byte[bytes.size()];
        for (int i = 0; i < reversed.length; i++) {
            reversed[i] = bytes.byteAt(reversed.length - 1 - i);
        }
        return new BigInteger(1, reversed);
    }

    /** x² = (y² - 1) / (d y² + 1). */
    private static Optional<BigInteger> recoverX(BigInteger y, boolean odd) {
        BigInteger yy = y.multiply(y);
        BigInteger square = yy.subtract(BigInteger.ONE)
                .multiply(D.multiply(yy).add(BigInteger.ONE).modInverse(P))
                .mod(P);
        BigInteger root = square.modPow(P.add(BigInteger.valueOf(3)).shiftRight(3), P);
        if (!root.multiply(root).mod(P).equals(square)) {
            root = root.multiply(ROOT_OF_MINUS_ONE).mod(P);
        }
        boolean isRoot = root.multiply(root).mod(P).equals(square);
        boolean minusZero = root.signum() == 0 && odd;
        if (!isRoot || minusZero) {
            return Optional.empty();
        }
        return Optional.of(root.testBit(0) == odd ? root : P.subtract(root));
    }

    boolean isOfSmallOrder() {
        return times(COFACTOR).isIdentity();
    }

    /** The subgroup of prime order, without the identity. */
    boolean isInMainSubgroup() {
        return !isIdentity() && times(ORDER).isIdentity();
    }

    private boolean isIdentity() {
        return x.signum() == 0 && y.equals(z);
    }

    private EdwardsPoint times(BigInteger factor) {
        EdwardsPoint sum = IDENTITY;
        for (int bit = factor.bitLength() - 1; bit >= 0; bit--) {
            sum = sum.plus(sum);
            sum = factor.testBit(bit) ? sum.plus(this) : sum;
        }
        return sum;
    }

    /** The one law of addition, in projective coordinates; complete on this curve. */
    private EdwardsPoint plus(EdwardsPoint other) {
        BigInteger a = product(z, other.z);
        BigInteger b = product(a, a);
        BigInteger c = product(x, other.x);
        BigInteger d = product(y, other.y);
        BigInteger e = product(D, product(c, d));
        BigInteger f = b.subtract(e);
        BigInteger g = b.add(e);
        BigInteger cross = product(x.add(y), other.x.add(other.y)).subtract(c).subtract(d);
        return new EdwardsPoint(product(product(a, f), cross), product(product(a, g), d.add(c)), product(f, g));
    }

    private static BigInteger product(BigInteger a, BigInteger b) {
        return a.multiply(b).mod(P);
    }
}
