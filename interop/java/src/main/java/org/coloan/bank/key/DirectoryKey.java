package org.coloan.bank.key;

import static org.coloan.bank.wire.Refused.check;

import org.coloan.bank.wire.Reason;
import org.coloan.v1.Key;
import org.coloan.v1.KeyAlgorithm;
import org.coloan.v1.KeyPurpose;
import org.coloan.v1.KeyStatus;

/** One key of a directory, whose point and proof of possession were checked ([COL-KEY-009]). */
public record DirectoryKey(
        String party, KeyPurpose purpose, KeyStatus status, long validFromMs, long validUntilMs, VerifyKey key) {
    private static final int ED25519_BYTES = 32;

    static DirectoryKey of(Key key, String environment) {
        check(key.getEnvironment().equals(environment), Reason.ENVIRONMENT_WRONG);
        boolean ed25519 = key.getAlgorithm() == KeyAlgorithm.KEY_ALGORITHM_ED25519;
        check(ed25519 && key.getPublicKey().size() == ED25519_BYTES, Reason.DIRECTORY_INVALID);
        check(isComplete(key), Reason.DIRECTORY_INVALID);
        VerifyKey publicKey = VerifyKey.of(key.getPublicKey());
        boolean proven = Possession.isProven(key.getParty(), environment, publicKey, key.getPossession());
        check(proven, Reason.KEY_POSSESSION);
        return new DirectoryKey(
                key.getParty(),
                key.getPurpose(),
                key.getStatus(),
                key.getValidFromMs(),
                key.getValidUntilMs(),
                publicKey);
    }

    private static boolean isComplete(Key key) {
        return Party.isParty(key.getParty())
                && key.getPurpose() != KeyPurpose.KEY_PURPOSE_UNSPECIFIED
                && key.getStatus() != KeyStatus.KEY_STATUS_UNSPECIFIED
                && key.getValidFromMs() >= 0
                && key.getValidFromMs() < key.getValidUntilMs();
    }

    /** Whether it verifies a message that arrives now ([COL-KEY-008]). */
    public boolean isInForce(long nowMs) {
        return wasInForce(nowMs) && (status == KeyStatus.KEY_STATUS_ACTIVE || status == KeyStatus.KEY_STATUS_RETIRING);
    }

    /** Whether it verifies a kept message, or an event, that was made then, whatever its status now. */
    public boolean wasInForce(long madeMs) {
        return validFromMs <= madeMs && madeMs < validUntilMs;
    }
}
