// A secret of the caller's home that the embedded gateway puts on in place of what the command has: from `run` to its gateway.

export interface HomeCredential {
  /** For messages and the audit: the file, and the host beside which it stands. */
  readonly name: string;
  /** What the command has in its place. */
  readonly placeholder: string;
  readonly secret: string;
  /** Where it stands, and nowhere else it goes: `https` alone. */
  readonly place: HomeCredentialPlace;
}

export interface HomeCredentialPlace {
  /** Lower case. */
  readonly host: string;
  readonly port: number;
  /** `/`, or a path without a slash at its end: that path and what is below it. */
  readonly path: string;
}
