-- People and groups with all that Graph shows of them, owners, managers, soft delete, and the log that delta reads.
-- Columns named *_key hold the lower case that Go made (docs/sql.md): $filter, $search and $orderby use them. They
-- are filled by directory.Refold at the next start.

ALTER TABLE users ADD COLUMN deleted_at       BIGINT  NOT NULL DEFAULT 0;     -- in the deleted items since then; 0: alive
ALTER TABLE users ADD COLUMN enabled_before   BOOLEAN NOT NULL DEFAULT FALSE; -- what enabled was when the person was deleted
ALTER TABLE users ADD COLUMN manager_id       TEXT    NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN synced           BOOLEAN NOT NULL DEFAULT FALSE; -- onPremisesSyncEnabled
ALTER TABLE users ADD COLUMN display_key      TEXT    NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN given_key        TEXT    NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN surname_key      TEXT    NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN mail_key         TEXT    NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN department_key   TEXT    NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN job_title_key    TEXT    NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN user_type_key    TEXT    NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN nickname_key     TEXT    NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN company_key      TEXT    NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN city_key         TEXT    NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN country_key      TEXT    NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN office_key       TEXT    NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN usage_key        TEXT    NOT NULL DEFAULT ''; -- usageLocation
ALTER TABLE users ADD COLUMN employee_id_key  TEXT    NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN employee_type_key TEXT   NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN immutable_id_key TEXT    NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN sam_account_key  TEXT    NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN profile          TEXT    NOT NULL DEFAULT '{}'; -- JSON: everything else (directory.Profile)
DROP INDEX users_by_name;
CREATE INDEX users_by_name ON users (display_key, id);
CREATE INDEX users_by_surname ON users (surname_key);
CREATE INDEX users_by_given ON users (given_key);
CREATE INDEX users_by_mail ON users (mail_key);
CREATE INDEX users_by_nickname ON users (nickname_key);
CREATE INDEX users_by_employee ON users (employee_id_key);
CREATE INDEX users_by_department ON users (department_key, display_key, id);
CREATE INDEX users_by_type ON users (user_type_key, display_key, id);
CREATE INDEX users_by_manager ON users (manager_id, display_key, id) WHERE manager_id <> '';
CREATE INDEX users_deleted ON users (deleted_at, id) WHERE deleted_at > 0;
CREATE INDEX users_by_creation ON users (created_at, id);

CREATE TABLE user_values ( -- the lists of a person that $filter may ask about; the lists themselves are in users.profile
	user_id TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	kind    TEXT   NOT NULL, -- 'otherMails', 'proxyAddresses', 'identities'
	n       BIGINT NOT NULL,
	key     TEXT   NOT NULL, -- lower case; of an identity its issuerAssignedId
	issuer  TEXT   NOT NULL DEFAULT '', -- of an identity, lower case
	type    TEXT   NOT NULL DEFAULT '', -- of an identity, lower case
	PRIMARY KEY (user_id, kind, n)
);
CREATE INDEX user_values_by_key ON user_values (kind, key, user_id);

ALTER TABLE groups ADD COLUMN deleted_at       BIGINT  NOT NULL DEFAULT 0;
ALTER TABLE groups ADD COLUMN display_key      TEXT    NOT NULL DEFAULT '';
ALTER TABLE groups ADD COLUMN description_key  TEXT    NOT NULL DEFAULT '';
ALTER TABLE groups ADD COLUMN nickname         TEXT    NOT NULL DEFAULT '';
ALTER TABLE groups ADD COLUMN nickname_key     TEXT    NOT NULL DEFAULT '';
ALTER TABLE groups ADD COLUMN unique_name      TEXT    NOT NULL DEFAULT '';
ALTER TABLE groups ADD COLUMN unique_key       TEXT    NOT NULL DEFAULT ''; -- '' while the group is deleted
ALTER TABLE groups ADD COLUMN mail_enabled     BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE groups ADD COLUMN security_enabled BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE groups ADD COLUMN unified          BOOLEAN NOT NULL DEFAULT FALSE; -- groupTypes has Unified
ALTER TABLE groups ADD COLUMN dynamic          BOOLEAN NOT NULL DEFAULT FALSE; -- groupTypes has DynamicMembership
ALTER TABLE groups ADD COLUMN rule             TEXT    NOT NULL DEFAULT '';    -- membershipRule
ALTER TABLE groups ADD COLUMN rule_state       TEXT    NOT NULL DEFAULT '';    -- membershipRuleProcessingState
ALTER TABLE groups ADD COLUMN role_assignable  BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE groups ADD COLUMN managed_by       TEXT    NOT NULL DEFAULT '';    -- the part of Cardea that alone may change it (DO-14)
ALTER TABLE groups ADD COLUMN profile          TEXT    NOT NULL DEFAULT '{}';  -- JSON: directory.GroupProfile
DROP INDEX groups_by_name;
CREATE INDEX groups_by_name ON groups (display_key, id);
CREATE UNIQUE INDEX groups_by_unique_name ON groups (unique_key) WHERE unique_key <> ''; -- DO-13
CREATE INDEX groups_deleted ON groups (deleted_at, id) WHERE deleted_at > 0;

CREATE INDEX group_members_inside ON group_members (group_id, member_id) WHERE member_type = 'group'; -- groups in groups

CREATE TABLE group_owners (
	group_id   TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
	owner_id   TEXT NOT NULL,
	owner_type TEXT NOT NULL, -- 'user' or 'servicePrincipal'
	PRIMARY KEY (group_id, owner_id)
);
CREATE INDEX group_owners_by_owner ON group_owners (owner_id, group_id);
CREATE TABLE parked_members ( -- memberships that a deleted person or group takes along, to bring them back
	deleted_id  TEXT NOT NULL, -- the deleted person or group
	group_id    TEXT NOT NULL,
	member_id   TEXT NOT NULL,
	member_type TEXT NOT NULL,
	PRIMARY KEY (deleted_id, group_id, member_id)
);
CREATE INDEX parked_members_by_group ON parked_members (group_id, member_id);
CREATE INDEX parked_members_by_member ON parked_members (member_id, group_id);

CREATE TABLE directory_changes ( -- what delta reads: every change of people, groups and memberships, numbered in the order of commits
	kind        TEXT   NOT NULL, -- 'user', 'group'
	seq         BIGINT NOT NULL, -- without gaps within its kind: versions ('directory.user', 'directory.group') counts
	id          TEXT   NOT NULL, -- of the user or the group
	member_id   TEXT   NOT NULL DEFAULT '', -- this member came or went
	member_type TEXT   NOT NULL DEFAULT '',
	what        TEXT   NOT NULL DEFAULT '', -- comma separated names of what changed of the object; '*' is everything, a group's members too
	at          BIGINT NOT NULL,
	PRIMARY KEY (kind, seq)
);

-- When people signed in last, for what the sign-in log has forgotten. What it still has is read there: the index answers alone.
CREATE TABLE sign_in_activity (
	user_id    TEXT   NOT NULL,
	kind       TEXT   NOT NULL, -- 'interactiveUser', 'nonInteractiveUser', 'successful'
	at         BIGINT NOT NULL,
	sign_in_id TEXT   NOT NULL,
	PRIMARY KEY (user_id, kind)
);
DROP INDEX sign_ins_by_user;
CREATE INDEX sign_ins_by_user ON sign_ins (user_id, created_at, event_type, error_code);
