-- Roles of groups and service principals. The direct members of a group hold its roles (directory.HoldersSQL).

ALTER TABLE role_assignments ADD COLUMN principal_type TEXT NOT NULL DEFAULT 'user'; -- 'user', 'group' or 'servicePrincipal'
