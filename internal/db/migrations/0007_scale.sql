-- A million people: how many there are is kept, and indexes of users know who is among the deleted items.

-- How many living people or groups there are, in the row that numbers their changes: true while size_at = value. A node
-- of an older release raises value alone; then it is counted (directory.CountUsers) until a node of this one recounts.
ALTER TABLE versions ADD COLUMN size    BIGINT NOT NULL DEFAULT 0;
ALTER TABLE versions ADD COLUMN size_at BIGINT NOT NULL DEFAULT -1; -- the change after which size was true
INSERT INTO versions (name, value) VALUES ('directory.user', 0), ('directory.group', 0) ON CONFLICT DO NOTHING;
UPDATE versions SET size = (SELECT count(*) FROM users WHERE deleted_at = 0), size_at = value WHERE name = 'directory.user';
UPDATE versions SET size = (SELECT count(*) FROM groups WHERE deleted_at = 0), size_at = value WHERE name = 'directory.group';

-- With deleted_at at its end an index answers a count alone. It is no partial index: SQLite uses none on the sides of an OR.
DROP INDEX users_by_name;
DROP INDEX users_by_surname;
DROP INDEX users_by_given;
DROP INDEX users_by_mail;
DROP INDEX users_by_nickname;
DROP INDEX users_by_employee;
DROP INDEX users_by_department;
DROP INDEX users_by_type;
DROP INDEX users_by_creation;
CREATE INDEX users_by_name ON users (display_key, id, deleted_at);
CREATE INDEX users_by_surname ON users (surname_key, deleted_at);
CREATE INDEX users_by_given ON users (given_key, deleted_at);
CREATE INDEX users_by_mail ON users (mail_key, deleted_at);
CREATE INDEX users_by_nickname ON users (nickname_key, deleted_at);
CREATE INDEX users_by_employee ON users (employee_id_key, deleted_at);
CREATE INDEX users_by_department ON users (department_key, display_key, id, deleted_at);
CREATE INDEX users_by_type ON users (user_type_key, display_key, id, deleted_at);
CREATE INDEX users_by_enabled ON users (enabled, display_key, id, deleted_at);
CREATE INDEX users_by_creation ON users (created_at, id, deleted_at);
