-- What is allowed in a component version and hardly meant: said when it is registered, and whenever it is shown.
-- Rows that were there before, and those of servers that do not know of it, have none.
ALTER TABLE component_versions ADD COLUMN warnings jsonb NOT NULL DEFAULT '[]';
