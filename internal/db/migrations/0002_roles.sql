-- Roles of groups and service principals. The direct members of a group hold its roles (directory.HoldersSQL).

ALTER TABLE role_assignments ADD COLUMN principal_type TEXT NOT NULL DEFAULT 'user'; -- 'user', 'group' or 'servicePrincipal'

-- Groups whose members follow from a rule, and how far the members are computed since the rule changed.
CREATE TABLE dynamic_groups (
	group_id   TEXT   NOT NULL PRIMARY KEY REFERENCES groups (id) ON DELETE CASCADE,
	uses       TEXT   NOT NULL,           -- comma separated members of a user that the rule asks for
	round      BIGINT NOT NULL DEFAULT 1, -- counts the changes of the rule
	position   TEXT   NOT NULL DEFAULT '', -- id of the last person asked in this round
	checked    BIGINT NOT NULL DEFAULT 0, -- people asked in this round
	added      BIGINT NOT NULL DEFAULT 0, -- in this round
	removed    BIGINT NOT NULL DEFAULT 0,
	started_at BIGINT NOT NULL,
	done_at    BIGINT NOT NULL DEFAULT 0  -- 0: the round goes on
);
CREATE INDEX dynamic_groups_undone ON dynamic_groups (started_at, group_id) WHERE done_at = 0;
