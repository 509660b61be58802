// Authority and destination in canonical form: there is no way to hold an unparsed one.

/** A host and a port, canonical: lower-case A-label name without trailing dot, or an IP literal without brackets. */
export interface Authority {
  readonly host: string;
  readonly port: number;
}

export type Scheme = 'http' | 'https' | 'tcp' | 'udp';

/** The one value that policy, DNS, dial, SNI, leaf, injection and audit use. */
export interface Destination extends Authority {
  readonly scheme: Scheme;
}
