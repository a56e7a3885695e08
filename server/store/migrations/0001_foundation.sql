-- The first schema. Times are Unix ms, digests SHA-256; numbers of states are those of the wire contract.
-- What is evidence never changes: triggers refuse what the code does not do.

CREATE TABLE messages (
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    way INTEGER NOT NULL CHECK (way IN (1, 2)),
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    message_id BLOB NOT NULL CHECK (length(message_id) = 16),
    direction INTEGER NOT NULL,
    method TEXT NOT NULL,
    application_id TEXT,
    at_ms INTEGER NOT NULL,
    envelope BLOB NOT NULL,
    reply BLOB REFERENCES messages (digest),
    UNIQUE (sender, message_id)
) STRICT;

CREATE TRIGGER messages_stay BEFORE DELETE ON messages
BEGIN
    SELECT RAISE(ABORT, 'messages stay');
END;

CREATE TRIGGER messages_keep BEFORE UPDATE OF digest, way, sender, recipient, message_id, direction, method, application_id,
    at_ms, envelope ON messages
BEGIN
    SELECT RAISE(ABORT, 'messages keep their bytes');
END;

CREATE TRIGGER messages_reply_once BEFORE UPDATE OF reply ON messages WHEN OLD.reply IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a message is answered once');
END;

CREATE TABLE applications (
    id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    external_ref TEXT NOT NULL,
    sender TEXT NOT NULL,
    bank TEXT NOT NULL,
    bank_epoch INTEGER NOT NULL,
    state INTEGER NOT NULL,
    fund INTEGER NOT NULL,
    bank_track INTEGER NOT NULL,
    registry INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    next_actor INTEGER NOT NULL,
    deadline_ms INTEGER NOT NULL,
    offer_version INTEGER NOT NULL,
    counters INTEGER NOT NULL,
    round INTEGER NOT NULL,
    rule_set TEXT NOT NULL,
    bank_changes INTEGER NOT NULL,
    clock_from_ms INTEGER NOT NULL,
    clock_stopped_ms INTEGER NOT NULL,
    submission BLOB NOT NULL REFERENCES messages (digest),
    reasons BLOB NOT NULL,
    items_total INTEGER NOT NULL,
    items_by_machine INTEGER NOT NULL,
    items_by_person INTEGER NOT NULL,
    items_open INTEGER NOT NULL,
    items_bank INTEGER NOT NULL,
    checks_total INTEGER NOT NULL,
    checks_open INTEGER NOT NULL,
    checks_bad INTEGER NOT NULL,
    completion_awaited INTEGER NOT NULL CHECK (completion_awaited IN (0, 1)),
    submitted_ms INTEGER NOT NULL,
    changed_ms INTEGER NOT NULL,
    UNIQUE (sender, external_ref)
) STRICT, WITHOUT ROWID;

-- One index for each kind of list, so that no list reads more rows than it returns. A bank that sends its own
-- applications is found as the bank.
CREATE INDEX applications_all ON applications (submitted_ms, id);
CREATE INDEX applications_all_in_state ON applications (state, submitted_ms, id);
CREATE INDEX applications_of_bank ON applications (bank, submitted_ms, id);
CREATE INDEX applications_of_bank_in_state ON applications (bank, state, submitted_ms, id);
CREATE INDEX applications_of_sender ON applications (sender, submitted_ms, id) WHERE sender <> bank;
CREATE INDEX applications_of_sender_in_state ON applications (sender, state, submitted_ms, id) WHERE sender <> bank;

-- The centre's own deadlines: what is overdue is counted often.
CREATE INDEX applications_undecided ON applications (deadline_ms) WHERE fund IN (1, 5);

-- How many applications stand in each state, kept beside them so that nobody has to count.
CREATE TABLE case_states (
    state INTEGER NOT NULL PRIMARY KEY,
    cases INTEGER NOT NULL CHECK (cases >= 0)
) STRICT;

CREATE TRIGGER applications_counted AFTER INSERT ON applications
BEGIN
    INSERT INTO case_states (state, cases) VALUES (NEW.state, 1) ON CONFLICT (state) DO UPDATE SET cases = case_states.cases + 1;
END;

CREATE TRIGGER applications_moved AFTER UPDATE OF state ON applications WHEN OLD.state <> NEW.state
BEGIN
    UPDATE case_states SET cases = cases - 1 WHERE state = OLD.state;
    INSERT INTO case_states (state, cases) VALUES (NEW.state, 1) ON CONFLICT (state) DO UPDATE SET cases = case_states.cases + 1;
END;

-- What has to happen at a time. A row is taken away by whoever does it, in the same transaction.
CREATE TABLE due (
    subject TEXT NOT NULL,
    kind INTEGER NOT NULL CHECK (kind > 0),
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (subject, kind)
) STRICT, WITHOUT ROWID;

CREATE INDEX due_in_order ON due (at_ms, subject, kind);

-- What a bank reported after the approval, as in coloan.v1.Milestone.
CREATE TABLE milestones (
    application_id TEXT NOT NULL REFERENCES applications (id),
    number INTEGER NOT NULL CHECK (number > 0),
    kind INTEGER NOT NULL,
    leg INTEGER NOT NULL,
    bank_epoch INTEGER NOT NULL,
    amount_fen INTEGER NOT NULL,
    balance_fen INTEGER NOT NULL,
    reference TEXT NOT NULL,
    happened_ms INTEGER NOT NULL,
    account BLOB CHECK (length(account) = 32),
    message BLOB NOT NULL REFERENCES messages (digest),
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (application_id, number),
    UNIQUE (application_id, kind, leg, reference)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER milestones_stay BEFORE DELETE ON milestones
BEGIN
    SELECT RAISE(ABORT, 'milestones stay');
END;

CREATE TRIGGER milestones_keep BEFORE UPDATE ON milestones
BEGIN
    SELECT RAISE(ABORT, 'milestones never change');
END;

-- Every bank that lends or lent: one for each epoch.
CREATE TABLE lenders (
    application_id TEXT NOT NULL REFERENCES applications (id),
    bank_epoch INTEGER NOT NULL CHECK (bank_epoch > 0),
    bank TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    PRIMARY KEY (application_id, bank_epoch)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER lenders_stay BEFORE DELETE ON lenders
BEGIN
    SELECT RAISE(ABORT, 'lenders stay');
END;

CREATE TRIGGER lenders_keep BEFORE UPDATE ON lenders
BEGIN
    SELECT RAISE(ABORT, 'lenders never change');
END;

-- What moved a case, and from where.
CREATE TABLE case_log (
    application_id TEXT NOT NULL REFERENCES applications (id),
    number INTEGER NOT NULL CHECK (number > 0),
    at_ms INTEGER NOT NULL,
    actor TEXT NOT NULL,
    message BLOB REFERENCES messages (digest),
    command INTEGER NOT NULL,
    track INTEGER NOT NULL,
    origin INTEGER NOT NULL,
    state INTEGER NOT NULL,
    fund INTEGER NOT NULL,
    bank_track INTEGER NOT NULL,
    registry INTEGER NOT NULL,
    PRIMARY KEY (application_id, number)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER case_log_stays BEFORE DELETE ON case_log
BEGIN
    SELECT RAISE(ABORT, 'the log stays');
END;

CREATE TRIGGER case_log_keeps BEFORE UPDATE ON case_log
BEGIN
    SELECT RAISE(ABORT, 'the log never changes');
END;

-- Who stands in an application that has not ended, by blind index.
CREATE TABLE open_persons (
    person BLOB NOT NULL PRIMARY KEY CHECK (length(person) = 32),
    application_id TEXT NOT NULL REFERENCES applications (id)
) STRICT, WITHOUT ROWID;

CREATE INDEX open_persons_of_application ON open_persons (application_id);

-- What an item is needed for: 1 the decision, 2 the disbursement, 3 the registration.
CREATE TABLE items (
    application_id TEXT NOT NULL REFERENCES applications (id),
    phase INTEGER NOT NULL CHECK (phase BETWEEN 1 AND 3),
    item INTEGER NOT NULL,
    person INTEGER NOT NULL,
    owner INTEGER NOT NULL CHECK (owner BETWEEN 1 AND 3),
    outcome INTEGER NOT NULL CHECK (outcome BETWEEN 0 AND 3),
    failure INTEGER NOT NULL,
    settled_ms INTEGER NOT NULL,
    valid_until_ms INTEGER NOT NULL,
    result BLOB NOT NULL,
    by_person INTEGER NOT NULL DEFAULT 0 CHECK (by_person IN (0, 1)),
    PRIMARY KEY (application_id, phase, item, person)
) STRICT, WITHOUT ROWID;

CREATE INDEX items_open ON items (owner, application_id, phase) WHERE outcome = 0;

-- Results that count no longer, kept by the trigger whoever replaces them.
CREATE TABLE item_results (
    application_id TEXT NOT NULL REFERENCES applications (id),
    phase INTEGER NOT NULL,
    item INTEGER NOT NULL,
    person INTEGER NOT NULL,
    number INTEGER NOT NULL CHECK (number > 0),
    result BLOB NOT NULL,
    settled_ms INTEGER NOT NULL,
    replaced_ms INTEGER NOT NULL,
    PRIMARY KEY (application_id, phase, item, person, number)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER item_results_stay BEFORE DELETE ON item_results
BEGIN
    SELECT RAISE(ABORT, 'results stay');
END;

CREATE TRIGGER item_results_keep BEFORE UPDATE ON item_results
BEGIN
    SELECT RAISE(ABORT, 'results never change');
END;

-- What the register says (phase 3) is polled; the case's log has what came of it.
CREATE TRIGGER items_remember BEFORE UPDATE OF outcome, result ON items WHEN OLD.outcome <> 0 AND OLD.phase <> 3
BEGIN
    INSERT INTO item_results (application_id, phase, item, person, number, result, settled_ms, replaced_ms)
    SELECT OLD.application_id, OLD.phase, OLD.item, OLD.person, 1 + coalesce(max(number), 0), OLD.result, OLD.settled_ms,
        NEW.settled_ms
    FROM item_results WHERE application_id = OLD.application_id AND phase = OLD.phase AND item = OLD.item
        AND person = OLD.person;
END;

-- What of a case needs a person, one open task for each thing; ending 0: it is open.
CREATE TABLE tasks (
    id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    application_id TEXT NOT NULL REFERENCES applications (id),
    kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 7),
    item INTEGER NOT NULL,
    person INTEGER NOT NULL,
    reason TEXT NOT NULL,
    failure INTEGER NOT NULL,
    authority TEXT NOT NULL,
    detail TEXT NOT NULL,
    opened_ms INTEGER NOT NULL,
    deadline_ms INTEGER NOT NULL,
    claimed_by TEXT,
    claimed_ms INTEGER NOT NULL,
    claimed_until_ms INTEGER NOT NULL,
    ending INTEGER NOT NULL CHECK (ending BETWEEN 0 AND 2),
    ended_ms INTEGER NOT NULL,
    ended_by TEXT CHECK ((ended_by IS NULL) = (ending = 0))
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX tasks_once ON tasks (application_id, kind, item, person) WHERE ending = 0;
CREATE INDEX tasks_waiting ON tasks (deadline_ms, id) WHERE ending = 0;
CREATE INDEX tasks_of_kind ON tasks (kind, deadline_ms, id) WHERE ending = 0;
CREATE INDEX tasks_of_officer ON tasks (claimed_by, deadline_ms, id) WHERE ending = 0;
CREATE INDEX tasks_of_application ON tasks (application_id, deadline_ms, id);

CREATE TRIGGER tasks_stay BEFORE DELETE ON tasks
BEGIN
    SELECT RAISE(ABORT, 'tasks stay');
END;

CREATE TRIGGER tasks_keep BEFORE UPDATE OF id, application_id, kind, item, person, reason, failure, authority, detail, opened_ms,
    deadline_ms ON tasks
BEGIN
    SELECT RAISE(ABORT, 'tasks keep what they are about');
END;

CREATE TRIGGER tasks_end_once BEFORE UPDATE ON tasks WHEN OLD.ending <> 0
BEGIN
    SELECT RAISE(ABORT, 'a task ends once');
END;

-- Changes of settled items that an officer proposed. Four eyes: nobody confirms what he proposed himself.
CREATE TABLE overrides (
    id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    application_id TEXT NOT NULL REFERENCES applications (id),
    item INTEGER NOT NULL,
    person INTEGER NOT NULL,
    replaces BLOB NOT NULL,
    result BLOB NOT NULL,
    outcome INTEGER NOT NULL CHECK (outcome IN (1, 2)),
    note TEXT NOT NULL CHECK (length(note) > 0),
    document BLOB CHECK (length(document) = 32),
    proposed_by TEXT NOT NULL,
    proposed_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL CHECK (expires_ms > proposed_ms),
    proposal BLOB NOT NULL REFERENCES messages (digest),
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 5),
    ended_by TEXT CHECK ((ended_by IS NULL) = (state = 1)),
    ended_ms INTEGER NOT NULL,
    confirmation BLOB REFERENCES messages (digest) CHECK ((confirmation IS NOT NULL) = (state = 2)),
    CHECK (state <> 2 OR (ended_by <> proposed_by AND confirmation <> proposal AND ended_ms < expires_ms)),
    CHECK (state <> 3 OR ended_by = proposed_by)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX overrides_once ON overrides (application_id, item, person) WHERE state = 1;
CREATE INDEX overrides_due ON overrides (expires_ms) WHERE state = 1;
CREATE INDEX overrides_of_application ON overrides (application_id, proposed_ms, id);

CREATE TRIGGER overrides_stay BEFORE DELETE ON overrides
BEGIN
    SELECT RAISE(ABORT, 'proposals stay');
END;

CREATE TRIGGER overrides_keep BEFORE UPDATE OF id, application_id, item, person, replaces, result, outcome, note, document,
    proposed_by, proposed_ms, expires_ms, proposal ON overrides
BEGIN
    SELECT RAISE(ABORT, 'proposals keep what they say');
END;

CREATE TRIGGER overrides_end_once BEFORE UPDATE ON overrides WHEN OLD.state <> 1
BEGIN
    SELECT RAISE(ABORT, 'a proposal ends once');
END;

CREATE TRIGGER overrides_begin BEFORE INSERT ON overrides WHEN NEW.state <> 1
BEGIN
    SELECT RAISE(ABORT, 'a proposal is not confirmed yet');
END;

-- What the decision rests on (phase 1) changes, once settled, by an officer who works on its task, or by what two officers
-- signed; but for what the centre settles by itself (owner 1), which follows from the application.
CREATE TRIGGER items_change_by_officers BEFORE UPDATE OF outcome, result ON items WHEN OLD.outcome <> 0 AND NEW.outcome <> 0
    AND OLD.phase = 1 AND OLD.owner <> 1
    AND NOT EXISTS (SELECT 1 FROM tasks WHERE application_id = OLD.application_id AND kind = 1 AND item = OLD.item
        AND person = OLD.person AND ending = 0 AND claimed_by IS NOT NULL)
    AND NOT EXISTS (SELECT 1 FROM overrides WHERE application_id = OLD.application_id AND item = OLD.item
        AND person = OLD.person AND state = 2 AND replaces = OLD.result AND result = NEW.result)
BEGIN
    SELECT RAISE(ABORT, 'a settled item needs officers to change');
END;

-- What officers did.
CREATE TABLE officer_actions (
    number INTEGER NOT NULL PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    officer TEXT NOT NULL,
    step INTEGER NOT NULL CHECK (step BETWEEN 1 AND 6),
    application_id TEXT NOT NULL REFERENCES applications (id),
    subject TEXT NOT NULL,
    item INTEGER NOT NULL,
    person INTEGER NOT NULL,
    reason TEXT NOT NULL,
    note TEXT NOT NULL,
    document BLOB CHECK (length(document) = 32),
    message BLOB NOT NULL REFERENCES messages (digest)
) STRICT;

CREATE INDEX officer_actions_of_application ON officer_actions (application_id, number);

CREATE TRIGGER officer_actions_stay BEFORE DELETE ON officer_actions
BEGIN
    SELECT RAISE(ABORT, 'what was done stays');
END;

CREATE TRIGGER officer_actions_keep BEFORE UPDATE ON officer_actions
BEGIN
    SELECT RAISE(ABORT, 'what was done never changes');
END;

-- Sums, so that no question reads all that ever happened.
CREATE TABLE officer_counts (
    officer TEXT NOT NULL,
    step INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (officer, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE reason_counts (
    item INTEGER NOT NULL,
    reason TEXT NOT NULL,
    referred INTEGER NOT NULL,
    settled INTEGER NOT NULL,
    overridden INTEGER NOT NULL,
    PRIMARY KEY (item, reason)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER officer_actions_count AFTER INSERT ON officer_actions
BEGIN
    INSERT INTO officer_counts (officer, step, count) VALUES (NEW.officer, NEW.step, 1)
    ON CONFLICT (officer, step) DO UPDATE SET count = officer_counts.count + 1;
END;

CREATE TRIGGER officer_actions_count_reasons AFTER INSERT ON officer_actions WHEN NEW.step IN (3, 5)
BEGIN
    INSERT INTO reason_counts (item, reason, referred, settled, overridden)
    VALUES (NEW.item, NEW.reason, 0, CASE WHEN NEW.step = 3 THEN 1 ELSE 0 END,
        CASE WHEN NEW.step = 5 THEN 1 ELSE 0 END)
    ON CONFLICT (item, reason) DO UPDATE SET settled = reason_counts.settled + excluded.settled,
        overridden = reason_counts.overridden + excluded.overridden;
END;

CREATE TRIGGER tasks_count AFTER INSERT ON tasks WHEN NEW.kind IN (1, 2)
BEGIN
    INSERT INTO reason_counts (item, reason, referred, settled, overridden) VALUES (NEW.item, NEW.reason, 1, 0, 0)
    ON CONFLICT (item, reason) DO UPDATE SET referred = reason_counts.referred + 1;
END;

CREATE TABLE offers (
    application_id TEXT NOT NULL REFERENCES applications (id),
    version INTEGER NOT NULL CHECK (version > 0),
    bank_epoch INTEGER NOT NULL,
    terms BLOB NOT NULL,
    terms_digest BLOB NOT NULL CHECK (length(terms_digest) = 32),
    valid_until_ms INTEGER NOT NULL,
    fund_event BLOB NOT NULL REFERENCES messages (digest),
    bank_decision BLOB REFERENCES messages (digest),
    made_ms INTEGER NOT NULL,
    PRIMARY KEY (application_id, version)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER offers_stay BEFORE DELETE ON offers
BEGIN
    SELECT RAISE(ABORT, 'offers stay');
END;

CREATE TRIGGER offers_keep BEFORE UPDATE OF application_id, version, bank_epoch, terms, terms_digest, valid_until_ms, fund_event,
    made_ms ON offers
BEGIN
    SELECT RAISE(ABORT, 'offers keep their terms');
END;

CREATE TRIGGER offers_decided_once BEFORE UPDATE OF bank_decision ON offers WHEN OLD.bank_decision IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'an offer is decided once');
END;

-- One for each round: a decided case that is opened again, by another bank or other rules, is decided once more.
CREATE TABLE decisions (
    application_id TEXT NOT NULL REFERENCES applications (id),
    round INTEGER NOT NULL CHECK (round > 0),
    outcome INTEGER NOT NULL,
    terms_digest BLOB CHECK (length(terms_digest) = 32),
    event BLOB NOT NULL REFERENCES messages (digest),
    decided_ms INTEGER NOT NULL,
    PRIMARY KEY (application_id, round)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER decisions_stay BEFORE DELETE ON decisions
BEGIN
    SELECT RAISE(ABORT, 'decisions stay');
END;

CREATE TRIGGER decisions_keep BEFORE UPDATE ON decisions
BEGIN
    SELECT RAISE(ABORT, 'decisions are final');
END;

CREATE TABLE traces (
    application_id TEXT NOT NULL REFERENCES applications (id),
    number INTEGER NOT NULL CHECK (number > 0),
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    trace BLOB NOT NULL,
    submission BLOB NOT NULL REFERENCES messages (digest),
    record BLOB NOT NULL,
    PRIMARY KEY (application_id, number)
) STRICT;

CREATE TRIGGER traces_stay BEFORE DELETE ON traces
BEGIN
    SELECT RAISE(ABORT, 'traces stay');
END;

CREATE TRIGGER traces_keep BEFORE UPDATE ON traces
BEGIN
    SELECT RAISE(ABORT, 'traces keep their bytes');
END;

CREATE TABLE outbox_heads (
    recipient TEXT NOT NULL PRIMARY KEY,
    head INTEGER NOT NULL CHECK (head > 0),
    received_floor INTEGER NOT NULL DEFAULT 0 CHECK (received_floor BETWEEN 0 AND head),
    applied_floor INTEGER NOT NULL DEFAULT 0 CHECK (applied_floor BETWEEN 0 AND received_floor),
    chain BLOB NOT NULL CHECK (length(chain) = 32)
) STRICT, WITHOUT ROWID;

-- `chain` stands for all events up to here (libcoloan/chain.h).
CREATE TABLE outbox (
    recipient TEXT NOT NULL,
    sequence INTEGER NOT NULL CHECK (sequence > 0),
    application_id TEXT NOT NULL REFERENCES applications (id),
    kind INTEGER NOT NULL,
    digest BLOB NOT NULL REFERENCES messages (digest),
    chain BLOB NOT NULL CHECK (length(chain) = 32),
    made_ms INTEGER NOT NULL,
    PRIMARY KEY (recipient, sequence)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER outbox_stay BEFORE DELETE ON outbox
BEGIN
    SELECT RAISE(ABORT, 'events stay');
END;

CREATE TRIGGER outbox_keep BEFORE UPDATE ON outbox
BEGIN
    SELECT RAISE(ABORT, 'events never change');
END;

CREATE TABLE outbox_acks (
    recipient TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    level INTEGER NOT NULL CHECK (level IN (1, 2)),
    reference TEXT NOT NULL,
    digest BLOB NOT NULL REFERENCES messages (digest),
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (recipient, level, sequence),
    FOREIGN KEY (recipient, sequence) REFERENCES outbox (recipient, sequence)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER outbox_acks_stay BEFORE DELETE ON outbox_acks
BEGIN
    SELECT RAISE(ABORT, 'acknowledgements stay');
END;

CREATE TRIGGER outbox_acks_keep BEFORE UPDATE ON outbox_acks
BEGIN
    SELECT RAISE(ABORT, 'acknowledgements never change');
END;

-- Events that are still to be received, and those asked for again; the row goes with the acknowledgement.
-- state: 0 fresh, 1 asked for again, 2 waits until next_ms, 3 on a call whose answer is awaited until next_ms, 4 parked.
-- What is above 1 holds back the later events of its application.
CREATE TABLE pending (
    recipient TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    application_id TEXT NOT NULL,
    state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 4),
    tries INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
    first_ms INTEGER NOT NULL DEFAULT 0,
    next_ms INTEGER NOT NULL DEFAULT 0,
    cause INTEGER NOT NULL DEFAULT 0 CHECK (cause BETWEEN 0 AND 3),
    note TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (recipient, sequence),
    FOREIGN KEY (recipient, sequence) REFERENCES outbox (recipient, sequence)
) STRICT, WITHOUT ROWID;

CREATE INDEX pending_holds ON pending (recipient, application_id, sequence) WHERE state > 1;

-- Servers on this database, when there are several, and for which applications each asks the authorities.
CREATE TABLE nodes (
    node TEXT NOT NULL PRIMARY KEY,
    seen_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE inquiries (
    application_id TEXT NOT NULL PRIMARY KEY REFERENCES applications (id),
    node TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- How often a recipient's stream was opened.
CREATE TABLE sessions (
    recipient TEXT NOT NULL PRIMARY KEY,
    number INTEGER NOT NULL CHECK (number > 0)
) STRICT, WITHOUT ROWID;

-- What became of trying to deliver an event, and who interfered.
CREATE TABLE delivery_log (
    recipient TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    number INTEGER NOT NULL CHECK (number > 0),
    at_ms INTEGER NOT NULL,
    step INTEGER NOT NULL CHECK (step BETWEEN 1 AND 5),
    by_party TEXT NOT NULL,
    note TEXT NOT NULL,
    message BLOB REFERENCES messages (digest),
    PRIMARY KEY (recipient, sequence, number),
    FOREIGN KEY (recipient, sequence) REFERENCES outbox (recipient, sequence)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER delivery_log_stay BEFORE DELETE ON delivery_log
BEGIN
    SELECT RAISE(ABORT, 'what was tried stays');
END;

CREATE TRIGGER delivery_log_keep BEFORE UPDATE ON delivery_log
BEGIN
    SELECT RAISE(ABORT, 'what was tried never changes');
END;

-- Who allowed what, to whom, until when: for ever. A withdrawal is written once and takes nothing away.
CREATE TABLE consents (
    application_id TEXT NOT NULL REFERENCES applications (id),
    consent_id TEXT NOT NULL,
    person INTEGER NOT NULL,
    purpose INTEGER NOT NULL,
    receiver TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    document BLOB NOT NULL CHECK (length(document) = 32),
    subject BLOB NOT NULL CHECK (length(subject) = 32),
    given_ms INTEGER NOT NULL,
    given_by BLOB NOT NULL REFERENCES messages (digest),
    withdrawn_ms INTEGER,
    withdrawn_by BLOB REFERENCES messages (digest),
    letter INTEGER,
    PRIMARY KEY (application_id, consent_id),
    CHECK ((withdrawn_ms IS NULL) = (withdrawn_by IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TRIGGER consents_stay BEFORE DELETE ON consents
BEGIN
    SELECT RAISE(ABORT, 'consents stay');
END;

CREATE TRIGGER consents_keep BEFORE UPDATE OF application_id, consent_id, person, purpose, receiver, until_ms, document, subject,
    given_ms, given_by ON consents
BEGIN
    SELECT RAISE(ABORT, 'consents never change');
END;

CREATE TRIGGER consents_letter_once BEFORE UPDATE OF letter ON consents WHEN OLD.letter IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a letter is judged once');
END;

CREATE TRIGGER consents_withdrawn_once BEFORE UPDATE OF withdrawn_ms, withdrawn_by ON consents WHEN OLD.withdrawn_ms IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a consent is withdrawn once');
END;

-- By which consents values of persons may go to whom with this message. The request of a reply comes into the log after
-- it, in the same transaction.
CREATE TABLE disclosures (
    application_id TEXT NOT NULL REFERENCES applications (id),
    message BLOB NOT NULL REFERENCES messages (digest) DEFERRABLE INITIALLY DEFERRED,
    recipient TEXT NOT NULL,
    consents TEXT NOT NULL CHECK (length(consents) > 0),
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (application_id, message)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER disclosures_stay BEFORE DELETE ON disclosures
BEGIN
    SELECT RAISE(ABORT, 'disclosures stay');
END;

CREATE TRIGGER disclosures_keep BEFORE UPDATE ON disclosures
BEGIN
    SELECT RAISE(ABORT, 'disclosures never change');
END;

-- Changes of keys that parties asked for; the next directory takes them up. The request itself is in the message log.
CREATE TABLE key_rotations (
    message BLOB NOT NULL PRIMARY KEY REFERENCES messages (digest),
    party TEXT NOT NULL,
    public_key BLOB NOT NULL UNIQUE CHECK (length(public_key) = 32),
    at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX key_rotations_by_time ON key_rotations (at_ms);

CREATE TRIGGER key_rotations_stay BEFORE DELETE ON key_rotations
BEGIN
    SELECT RAISE(ABORT, 'rotations stay');
END;

CREATE TRIGGER key_rotations_keep BEFORE UPDATE ON key_rotations
BEGIN
    SELECT RAISE(ABORT, 'rotations never change');
END;

-- Key directories that this server signed itself: what is in force after a crash, whatever the file says.
CREATE TABLE directories (
    number INTEGER NOT NULL PRIMARY KEY CHECK (number > 0),
    issued_ms INTEGER NOT NULL,
    envelope BLOB NOT NULL
) STRICT;

CREATE TRIGGER directories_stay BEFORE DELETE ON directories
BEGIN
    SELECT RAISE(ABORT, 'directories stay');
END;

CREATE TRIGGER directories_keep BEFORE UPDATE ON directories
BEGIN
    SELECT RAISE(ABORT, 'directories never change');
END;

-- Uploaded documents. `number` is the store's own; the pieces of unfinished ones may be dropped.
CREATE TABLE documents (
    number INTEGER NOT NULL PRIMARY KEY,
    application_id TEXT NOT NULL REFERENCES applications (id),
    sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
    size_bytes INTEGER NOT NULL CHECK (size_bytes > 0),
    received_bytes INTEGER NOT NULL CHECK (received_bytes BETWEEN 0 AND size_bytes),
    attempt INTEGER NOT NULL CHECK (attempt > 0),
    hash BLOB NOT NULL,
    sender TEXT NOT NULL,
    changed_ms INTEGER NOT NULL,
    complete INTEGER NOT NULL CHECK (complete IN (0, 1)),
    UNIQUE (application_id, sha256)
) STRICT;

CREATE INDEX documents_unfinished ON documents (sender, changed_ms, number, size_bytes)
    WHERE complete = 0 AND received_bytes > 0;

CREATE TABLE document_pieces (
    document INTEGER NOT NULL REFERENCES documents (number),
    at INTEGER NOT NULL CHECK (at >= 0),
    sealed BLOB NOT NULL,
    UNIQUE (document, at)
) STRICT;

CREATE TRIGGER documents_stay BEFORE DELETE ON documents
BEGIN
    SELECT RAISE(ABORT, 'documents stay');
END;

CREATE TRIGGER documents_keep BEFORE UPDATE ON documents WHEN OLD.complete = 1
BEGIN
    SELECT RAISE(ABORT, 'complete documents never change');
END;

CREATE TRIGGER documents_are_what_they_were BEFORE UPDATE OF number, application_id, sha256, size_bytes, sender ON documents
BEGIN
    SELECT RAISE(ABORT, 'a document stays the one it is');
END;

CREATE TRIGGER document_pieces_stay BEFORE DELETE ON document_pieces
    WHEN (SELECT complete FROM documents WHERE number = OLD.document) = 1
BEGIN
    SELECT RAISE(ABORT, 'pieces of complete documents stay');
END;

CREATE TRIGGER document_pieces_keep BEFORE UPDATE ON document_pieces
BEGIN
    SELECT RAISE(ABORT, 'pieces never change');
END;

-- Personal values, sealed (server/vault). A key without `wrapped` was destroyed: the application is erased.
-- The master key in force, by its public id, and the key of the blind indexes, which it wraps. The `next` ones stand
-- while data keys are being wrapped anew under another master key.
CREATE TABLE vault_master (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    master_id BLOB NOT NULL CHECK (length(master_id) = 16),
    blind BLOB NOT NULL,
    next_master_id BLOB CHECK (length(next_master_id) = 16),
    next_blind BLOB,
    CHECK ((next_master_id IS NULL) = (next_blind IS NULL))
) STRICT;

CREATE TABLE vault_keys (
    application_id TEXT NOT NULL PRIMARY KEY,
    master_id BLOB NOT NULL CHECK (length(master_id) = 16),
    wrapped BLOB
) STRICT, WITHOUT ROWID;

CREATE TABLE vault_values (
    application_id TEXT NOT NULL REFERENCES vault_keys (application_id),
    path TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0),
    sealed BLOB NOT NULL,
    PRIMARY KEY (application_id, path)
) STRICT, WITHOUT ROWID;
