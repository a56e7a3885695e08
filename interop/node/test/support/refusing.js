import assert from 'node:assert/strict';
import { Refused } from '../../refused.js';

/** `run` throws Refused with that reason, or with none at all when `reason` is undefined. */
export function expectReason(reason, run) {
  if (reason === undefined) {
    run();
    return;
  }
  assert.throws(run, (error) => error instanceof Refused && error.reason === reason);
}
