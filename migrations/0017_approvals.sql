-- Approvals by what policies, processes and environments ask for; what approvers see, as one document; who was told when.

ALTER TABLE approvals
    -- Each with what asks for it. Absent in requests from before: `required` people with the role `role`.
    ADD COLUMN requirements jsonb,
    ADD COLUMN asked text NOT NULL DEFAULT 'before' CHECK (asked IN ('before', 'afterwards')),
    -- What approvers see, and its digest, which decisions name.
    ADD COLUMN document jsonb,
    ADD COLUMN document_digest text,
    -- Who was told so far, and when somebody is told next.
    ADD COLUMN told jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN look_at timestamptz,
    ADD CHECK ((document IS NULL) = (document_digest IS NULL));
ALTER TABLE approvals DROP CONSTRAINT approvals_state_check;
ALTER TABLE approvals ADD CONSTRAINT approvals_state_check
    CHECK (state IN ('pending', 'approved', 'rejected', 'withdrawn', 'expired'));
ALTER TABLE approvals DROP CONSTRAINT approvals_required_check;
ALTER TABLE approvals ADD CONSTRAINT approvals_required_check CHECK (required >= 1);
CREATE INDEX approvals_look_at ON approvals (look_at) WHERE state = 'pending' AND look_at IS NOT NULL;

ALTER TABLE decisions
    -- By whose entitlement, where it is not that of whoever decided, and by which delegation.
    ADD COLUMN of_id uuid REFERENCES principals,
    ADD COLUMN delegation_id uuid REFERENCES delegations,
    ADD COLUMN document_digest text,
    -- When and how they had signed in, and the roles that only their token said they hold.
    ADD COLUMN signed_in_at timestamptz,
    ADD COLUMN methods text[] NOT NULL DEFAULT '{}',
    ADD COLUMN claimed_roles text[] NOT NULL DEFAULT '{}',
    ADD COLUMN withdrawn_at timestamptz,
    ADD COLUMN withdrawn_because text,
    ADD CHECK ((withdrawn_at IS NULL) = (withdrawn_because IS NULL)),
    ADD CHECK ((of_id IS NULL) = (delegation_id IS NULL));
-- A decision counts once a person; one that was withdrawn does not count.
ALTER TABLE decisions DROP CONSTRAINT decisions_approval_id_principal_id_key;
CREATE UNIQUE INDEX decisions_once_a_person ON decisions (approval_id, principal_id) WHERE withdrawn_at IS NULL;
