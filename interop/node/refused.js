// A check that failed, named by its reason in docs/REASONS.md. Every module throws this and nothing else for what a peer
// can cause; any other error is a fault of ours.
export class Refused extends Error {
  /** `more`: field (path to mend), retryAfterMs (undefined: not the same bytes again), signed, code (gRPC), detail. */
  constructor(reason, more = {}) {
    super(more.detail ? `${reason}: ${more.detail}` : reason);
    this.name = 'Refused';
    this.reason = reason;
    Object.assign(this, more);
  }
}

export function check(condition, reason, more) {
  if (!condition) {
    throw new Refused(reason, more);
  }
}
