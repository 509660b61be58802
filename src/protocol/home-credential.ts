// A secret of the caller's home or environment that the embedded gateway puts on in place of what the command has: from `run` to its gateway.

export interface HomeCredential {
  /** For messages and the audit: the file or the variable, and the host that it is for. */
  readonly name: string;
  /** What the command has in its place. */
  readonly placeholder: string;
  readonly secret: string;
  /** Where it stands, and nowhere else it goes: `https` alone. */
  readonly place: HomeCredentialPlace;
  /** The field in which it goes, lower case. Absent: Authorization. */
  readonly field?: string;
  /** Of a variable: it serves all that the policy allows, as the variable would have. Absent: of a file of the home. */
  readonly isVariable?: true;
  /** Of a variable that the catalogue knows. Absent: its host is one that the caller named. */
  readonly service?: HomeCredentialService;
}

export interface HomeCredentialService {
  /** The name of the entry: what would bring more secrets is not asked for with this one. */
  readonly entry: string;
  /** The host of the entry that the place stands for, with the place's path as the root. */
  readonly host: string;
  /** Its responses have members that are called tokens and that clients need. */
  readonly plainTokens?: true;
}

export interface HomeCredentialPlace {
  /** Lower case. */
  readonly host: string;
  readonly port: number;
  /** `/`, or a path without a slash at its end: that path and what is below it. */
  readonly path: string;
}
