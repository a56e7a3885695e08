// A folder of certificates and keys as certs/make-dev makes it, with a key directory beside them.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Signer } from '../../keys.js';
import { seal, uuid7 } from '../../envelope.js';

const MAKE_DEV = fileURLToPath(new URL('../../../../certs/make-dev', import.meta.url));
const DAY_MS = 86_400_000;
export const CENTRE = 'fund:cn-nj-prov';
export const PARTIES = [CENTRE, 'bank:cn-alpha-js', 'bank:cn-beta-js', 'channel:app-nj'];

/** An entry of a directory for a key of ours; `more` overrides fields. */
export function describeKey(signer, environment, nowMs, more = {}) {
  return {
    party: signer.party,
    purpose: 'KEY_PURPOSE_SIGN',
    environment,
    algorithm: 'KEY_ALGORITHM_ED25519',
    public_key: signer.publicKey,
    valid_from_ms: BigInt(nowMs - DAY_MS),
    valid_until_ms: BigInt(nowMs + 90 * DAY_MS),
    status: 'KEY_STATUS_ACTIVE',
    possession: signer.provePossession(environment),
    ...more,
  };
}

/** A directory signed by `directorySigner`, whose party is the centre. `directory` overrides fields of the directory, all
 * else fields of its header. */
export function issueDirectory(directorySigner, keys, more = {}) {
  const { number = 1n, environment = 'test', nowMs = Date.now(), directory, ...header } = more;
  const issued = BigInt(nowMs);
  return seal(directorySigner, 'KeyDirectory', { number, environment, issued_ms: issued, keys, ...directory }, {
    environment,
    message_id: uuid7(nowMs),
    method: 'coloan.v1.Directory/GetKeys',
    direction: 'DIRECTION_EVENT',
    created_ms: issued,
    sequence: number,
    ...header,
  }).envelope;
}

/** Makes `folder` (new or empty); gives the hex of the directory's public key. */
export function fillFolder(folder) {
  execFileSync(MAKE_DEV, [folder], { stdio: 'pipe' });
  const now = Date.now();
  const keys = PARTIES.map((party) => {
    const signer = Signer.load(party, path.join(folder, `${party.split(':')[1]}.sign.key`));
    return describeKey(signer, 'test', now);
  });
  const directorySigner = Signer.load(CENTRE, path.join(folder, 'directory.key'));
  fs.writeFileSync(path.join(folder, 'directory.bin'), issueDirectory(directorySigner, keys));
  return directorySigner.publicKey.toString('hex');
}

export function makeFolder() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'coloan-js-'));
  fillFolder(folder);
  return folder;
}

export function removeFolder(folder) {
  fs.rmSync(folder, { recursive: true });
}
