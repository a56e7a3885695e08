// Events from the centre: one stream that comes back by itself and goes on where it was (chapter 8).
//
// Each event is verified, written to the journal, acknowledged RECEIVED, taken over, acknowledged APPLIED: in the order of
// their numbers, one at a time. After a break the stream resumes behind the last event of the journal; an event that comes
// twice is acknowledged twice and taken over once; one that was held back comes later, with its own number. An acknowledgement is not answered, so those that a break may have
// swallowed are sent again: the centre takes the same one twice.
import crypto from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { check, Refused } from './refused.js';
import { HEARTBEAT_MS } from './limits.js';
import { DELIVER } from './methods.js';
import { refusalOf } from './client.js';

const SILENCE_MS_MAX = 3 * HEARTBEAT_MS;
const BACKOFF_MS_MIN = 500;
const BACKOFF_MS_MAX = 30_000;
const OUTSTANDING = 100;
const FRAMES = {
  Event: 'DIRECTION_EVENT',
  Heartbeat: 'DIRECTION_REPLY',
  Gap: 'DIRECTION_REPLY',
  Held: 'DIRECTION_REPLY',
  Drain: 'DIRECTION_REPLY',
};

export class Deliver {
  /** `apply(opened)` takes an event over and gives the bank's own reference of it; called once for each event unless the
   * process dies in between. `say(text)` tells an operator. */
  constructor({ client, journal, apply, say = () => {}, backoffMs = BACKOFF_MS_MIN }) {
    Object.assign(this, { client, journal, apply, say, backoffMs });
    this.sessionId = crypto.randomBytes(16); // of this process, kept across reconnects
    this.epoch = journal.start();
    this.heartbeat = null; // the last one of this session
    this.unsure = new Set([...journal.events.keys()].slice(-OUTSTANDING)); // sequences whose acks may be lost
    this.stopped = false;
  }

  /** Runs until stop(), or until a newer session of this bank takes over (throws STREAM_FENCED). */
  async run() {
    let delay = this.backoffMs;
    while (!this.stopped) {
      const before = this.journal.lastSequence;
      try {
        const drain = await this.session();
        delay = drain === null ? delay : Number(drain.reconnect_after_ms);
      } catch (error) {
        if (!(error instanceof Refused) || error.reason === 'STREAM_FENCED') {
          throw error;
        }
        this.say(`stream ended: ${error.message}`);
      }
      if (!this.stopped) {
        await sleep(delay * (1 + Math.random() * 0.2));
      }
      const progressed = this.journal.lastSequence > before;
      delay = progressed ? this.backoffMs : Math.min(delay * 2, BACKOFF_MS_MAX);
    }
  }

  stop() {
    this.stopped = true;
    this.stream?.cancel();
  }

  /** Cuts the connection, as a network would: run() comes back by itself. */
  cut() {
    this.stream?.cancel();
  }

  send(name, body, more) {
    const sealed = this.client.seal(DELIVER, name, body, more);
    this.stream.write(sealed.envelope);
    return sealed;
  }

  ack(sequence, digest, level, reference) {
    this.unsure.add(`${sequence}`);
    const more = { direction: 'DIRECTION_ACK', inReplyTo: digest };
    this.send('Ack', { sequence, level, bank_reference: reference }, more);
  }

  /** One stream from Open to its end; gives the Drain that ended it in good order, or null. */
  async session() {
    this.stream = this.client.stream(DELIVER);
    const ended = new Promise((resolve) => {
      this.stream.on('error', resolve); // grpc-js emits an error for every status but OK
      this.stream.on('end', () => resolve(null));
    });
    this.open = this.send('Open', {
      resume_after: this.journal.lastSequence,
      session_id: this.sessionId,
      epoch: this.epoch,
      max_outstanding: OUTSTANDING,
    });
    this.drain = null;
    this.heartbeat = null;
    await this.applyPending();
    await this.takeFrames();
    const error = await ended;
    if (error !== null && !this.stopped) {
      throw refusalOf(error, (bytes) => this.client.openRefusal(bytes, DELIVER));
    }
    return this.drain;
  }

  /** Frames one after the other; the stream is not read on while one is being taken over. */
  async takeFrames() {
    const watch = setTimeout(() => this.stream.cancel(), SILENCE_MS_MAX);
    try {
      for await (const bytes of this.stream) {
        watch.refresh();
        await this.frame(bytes);
      }
    } catch (error) {
      this.stream.cancel();
      if (error instanceof Refused || error.code === undefined) {
        throw error; // of ours; that of the stream comes through its 'error' event
      }
    } finally {
      clearTimeout(watch);
    }
  }

  async frame(bytes) {
    const opened = await this.client.openFresh(bytes, DELIVER, FRAMES, this.open.digest);
    switch (opened.name) {
      case 'Event':
        await this.event(opened, bytes);
        break;
      case 'Heartbeat':
        this.beat(opened.body);
        break;
      case 'Gap':
        this.gap(opened.body);
        break;
      case 'Held':
        this.held(opened.body);
        break;
      default:
        this.drain = opened.body;
    }
  }

  /** The first of a session says what the centre holds of ours. A later one comes after what was sent before the last. */
  beat(heartbeat) {
    const sure = this.heartbeat !== null;
    this.heartbeat = heartbeat;
    if (sure) {
      this.unsure.clear();
      return;
    }
    for (const { sequence, digest, reference } of this.journal.events.values()) {
      if (sequence > heartbeat.received_floor || this.unsure.has(`${sequence}`)) {
        this.ack(sequence, digest, 'ACK_LEVEL_RECEIVED');
        if (reference !== undefined) {
          this.ack(sequence, digest, 'ACK_LEVEL_APPLIED', reference);
        }
      }
    }
  }

  async event(opened, bytes) {
    const { sequence } = opened.header;
    check(opened.header.application_id === opened.body.application_id, 'FIELD_INVALID', { field: 'application_id' });
    const known = this.journal.events.get(`${sequence}`);
    if (known === undefined) {
      const next = this.journal.lastSequence + 1n;
      check(sequence === next || this.journal.held.has(`${sequence}`), 'SEQUENCE_WRONG'); // a hole nobody named: reconnect
      this.journal.event(sequence, opened.digest, bytes);
    } else {
      check(known.digest.equals(opened.digest), 'SEQUENCE_WRONG', { detail: `event ${sequence} was another one before` });
    }
    this.ack(sequence, opened.digest, 'ACK_LEVEL_RECEIVED');
    await this.take(opened, sequence);
  }

  async take(opened, sequence) {
    const record = this.journal.events.get(`${sequence}`);
    if (record.reference === undefined) {
      this.journal.applied(sequence, await this.apply(opened));
    }
    this.ack(sequence, opened.digest, 'ACK_LEVEL_APPLIED', record.reference);
  }

  /** Events that were received before a crash and not taken over. */
  async applyPending() {
    for (const { sequence, digest, envelope, reference } of this.journal.events.values()) {
      if (reference === undefined) {
        this.ack(sequence, digest, 'ACK_LEVEL_RECEIVED');
        await this.take(this.client.open(envelope, DELIVER, FRAMES), sequence);
      }
    }
  }

  /** Events that come later: one of their application was refused, or is parked. */
  held({ from, to }) {
    check(from === this.journal.lastSequence + 1n && to >= from, 'SEQUENCE_WRONG');
    this.journal.hold(from, to);
  }

  gap({ from, to }) {
    check(from === this.journal.lastSequence + 1n && to >= from, 'SEQUENCE_WRONG');
    this.say(`events ${from} to ${to} cannot be delivered: ask with GetApplication, and call the centre`);
    this.journal.gap(from, to);
  }
}
