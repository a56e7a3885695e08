// Calls to the centre over mutual TLS 1.3: one message, sent again with the same bytes until its outcome is known
// ([COL-RPC-001], [COL-DUP-006], [COL-ERR-001] to [COL-ERR-009]).
import tls from 'node:tls';
import { setTimeout as sleep } from 'node:timers/promises';
import grpc from '@grpc/grpc-js';
import { check, Refused } from './refused.js';
import { DEADLINE_MS_DEFAULT, DETAILS_BYTES_MAX, LIFE_MS_MAX, MESSAGE_BYTES_MAX } from './limits.js';
import { decode } from './contract.js';
import { Directory } from './directory.js';
import { METHODS } from './methods.js';
import { checkTime, open, openBody, seal, uuid7 } from './envelope.js';

const RETRY_MS_DEFAULT = 1000;
const TRIES_DEFAULT = 8;
const KEY_REASONS = ['KEY_UNKNOWN', 'KEY_NOT_VALID'];
const same = (bytes) => bytes; // gRPC carries our bytes as they are

// -- Connection --------------------------------------------------------------------------------------------------

/** The certificate's only URI name is the party, whatever its CN or host names say ([COL-TLS-005]). */
export function checkCertificate(centre, certificate) {
  const uris = (certificate.subjectaltname ?? '').split(', ').filter((name) => name.startsWith('URI:'));
  const fits = uris.length === 1 && uris[0] === `URI:urn:coloan:party:${centre}`;
  return fits ? undefined : new Error(`the certificate does not name ${centre}`);
}

/** `tlsFiles`: PEM texts {ca, cert, key}. */
export function connect(target, centre, tlsFiles, options = {}) {
  const context = tls.createSecureContext({ ...tlsFiles, minVersion: 'TLSv1.3' });
  const credentials = grpc.credentials.createFromSecureContext(context, {
    checkServerIdentity: (_host, certificate) => checkCertificate(centre, certificate),
  });
  return new grpc.Client(target, credentials, {
    'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
    'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
    'grpc.keepalive_time_ms': 60_000,
    'grpc.use_local_subchannel_pool': 1, // connections of two parties in one process stay apart
    ...options,
  });
}

// -- Refusals ----------------------------------------------------------------------------------------------------

const ANY = 'type.googleapis.com/';

/** What a failure without details means; with a delay when the outcome is unknown and the same bytes may go again. */
function transportFailure(code) {
  const unknown = {
    [grpc.status.UNAVAILABLE]: 'PEER_UNREACHABLE',
    [grpc.status.DEADLINE_EXCEEDED]: 'DEADLINE_EXCEEDED',
    [grpc.status.CANCELLED]: 'CALL_CANCELLED',
  };
  if (code === grpc.status.UNIMPLEMENTED) {
    return new Refused('METHOD_UNKNOWN', { code });
  }
  return new Refused(unknown[code] ?? 'PEER_ANSWER_INVALID', { code, retryAfterMs: RETRY_MS_DEFAULT });
}

/** What is no answer says nothing of what became of the message ([COL-ERR-006]): the same bytes again. */
function noAnswer(fault, code) {
  return new Refused('PEER_ANSWER_INVALID', { code, detail: fault.message, retryAfterMs: RETRY_MS_DEFAULT });
}

function readDetails(details) {
  const found = { infos: [] };
  for (const { type_url: url, value } of decode('google.rpc.Status', details).details) {
    if (url === `${ANY}google.rpc.ErrorInfo`) {
      const info = decode('google.rpc.ErrorInfo', value);
      found.infos.push(...(info.domain === 'coloan.v1' ? [info] : []));
    } else if (url === `${ANY}google.rpc.RetryInfo`) {
      const delay = decode('google.rpc.RetryInfo', value).retry_delay;
      found.retryAfterMs = Number(delay?.seconds ?? 0n) * 1000 + Math.floor((delay?.nanos ?? 0) / 1e6);
    } else if (url === `${ANY}google.rpc.BadRequest`) {
      found.field = decode('google.rpc.BadRequest', value).field_violations[0]?.field;
    } else if (url === `${ANY}google.rpc.LocalizedMessage`) {
      found.textZh = decode('google.rpc.LocalizedMessage', value).message;
    } else if (url === `${ANY}coloan.v1.Envelope`) {
      found.envelope = value;
    }
  }
  return found;
}

/** The Refused of a failed call. `openRefusal(bytes)` verifies a signed one; only that is evidence. */
export function refusalOf(error, openRefusal) {
  const [details] = error.metadata?.get('grpc-status-details-bin') ?? [];
  if (details === undefined) {
    return transportFailure(error.code);
  }
  try {
    check(details.length <= DETAILS_BYTES_MAX, 'MESSAGE_TOO_LARGE');
    const { infos, envelope, ...more } = readDetails(details);
    check(infos.length === 1, 'FIELD_MISSING');
    const [{ reason }] = infos;
    const signed = envelope !== undefined;
    if (signed) {
      check(openRefusal(envelope).reason === reason, 'FIELD_INVALID');
    }
    return new Refused(reason, { code: error.code, signed, envelope, ...more });
  } catch (fault) {
    return noAnswer(fault, error.code);
  }
}

// -- Calls -------------------------------------------------------------------------------------------------------

/** A party that talks to the centre. */
export class Client {
  constructor({ channel, signer, directory, nowMs = Date.now }) {
    Object.assign(this, { channel, signer, directory, nowMs });
  }

  /** Signs a message to the centre. Keep its bytes durably before the first send, and send only those. */
  seal(method, name, body, more = {}) {
    const now = more.createdMs ?? this.nowMs();
    const header = {
      environment: this.directory.environment,
      message_id: more.messageId ?? uuid7(now),
      recipient: this.directory.centre,
      method,
      direction: more.direction ?? 'DIRECTION_REQUEST',
      created_ms: BigInt(now),
      expires_ms: BigInt(now + (more.lifeMs ?? LIFE_MS_MAX)),
      in_reply_to: more.inReplyTo,
      application_id: more.applicationId,
    };
    return seal(this.signer, name, body, header, more.disclosures);
  }

  /** Signs the request of METHODS[call]. */
  sealRequest(call, body, more) {
    return this.seal(METHODS[call].name, METHODS[call].request, body, more);
  }

  /** Opens what the centre says in answer to a message of ours with this digest, or as an event. */
  open(bytes, method, bodies, inReplyTo) {
    const nowMs = this.nowMs();
    const opened = open(bytes, {
      directory: this.directory,
      environment: this.directory.environment,
      sender: this.directory.centre,
      recipient: this.signer.party,
      method,
      bodies,
      inReplyTo,
      nowMs,
    });
    checkTime(opened.header, nowMs);
    return { ...opened, body: openBody(opened) };
  }

  /** As open, but fetches the directory once before it refuses a message for its key (chapter 5). */
  async openFresh(...message) {
    try {
      return this.open(...message);
    } catch (error) {
      const before = this.directory.number;
      if (!KEY_REASONS.includes(error.reason) || await this.refreshDirectory() === before) {
        throw error;
      }
      return this.open(...message);
    }
  }

  openRefusal(bytes, method, inReplyTo) {
    return this.open(bytes, method, { Refusal: 'DIRECTION_REFUSAL' }, inReplyTo).body;
  }

  async openReply(bytes, call, inReplyTo) {
    const { name, reply } = METHODS[call];
    const message = [bytes, name, { [reply]: 'DIRECTION_REPLY' }, inReplyTo];
    try {
      return call === 'GetKeys' ? this.open(...message) : await this.openFresh(...message);
    } catch (fault) {
      throw noAnswer(fault);
    }
  }

  /** One try; gives the reply's bytes. */
  sendOnce(call, sealed, deadlineMs = DEADLINE_MS_DEFAULT) {
    const { name } = METHODS[call];
    return new Promise((resolve, reject) => {
      const options = { deadline: Date.now() + deadlineMs };
      this.channel.makeUnaryRequest(`/${name}`, same, same, sealed.envelope, new grpc.Metadata(), options, (error, reply) => {
        if (error) {
          reject(refusalOf(error, (bytes) => this.openRefusal(bytes, name, sealed.digest)));
        } else {
          resolve(reply);
        }
      });
    });
  }

  /** Sends until the outcome is known: the same bytes again whenever the centre, or the way there, says so. Gives the
   * opened reply; throws Refused, with retryAfterMs set when the outcome is still unknown after all tries. */
  async send(call, sealed, { deadlineMs, tries = TRIES_DEFAULT } = {}) {
    for (let left = tries; ; left--) {
      try {
        const reply = await this.sendOnce(call, sealed, deadlineMs);
        return { bytes: reply, ...await this.openReply(reply, call, sealed.digest) };
      } catch (error) {
        if (!(error instanceof Refused) || error.retryAfterMs === undefined || left <= 1) {
          throw error;
        }
        await sleep(error.retryAfterMs * (1 + Math.random() * 0.2)); // jitter: not all banks at the same moment
      }
    }
  }

  /** Seals and sends; for questions that change nothing. */
  async call(call, body, more) {
    return (await this.send(call, this.sealRequest(call, body, more))).body;
  }

  /** Takes a newer directory over, if there is one; it has to verify with the pinned key (chapter 5). */
  async refreshDirectory() {
    const { directory: bytes } = await this.call('GetKeys', { known_number: this.directory.number });
    if (bytes.length > 0) {
      this.directory = Directory.load(bytes, this.directory.trust, this.directory);
    }
    return this.directory.number;
  }

  /** A bidirectional stream of envelopes. */
  stream(method) {
    return this.channel.makeBidiStreamRequest(`/${method}`, same, same, new grpc.Metadata(), {});
  }

  close() {
    this.channel.close();
  }
}
