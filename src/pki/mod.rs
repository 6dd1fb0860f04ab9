//! The built-in certificate authority for trials and small fleets: issue, sign, renew, revoke, CRL.
