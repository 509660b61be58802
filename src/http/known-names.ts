// Names of fields as most messages spell them: looked up instead of checked, copied and put into lower case for each message.

/** A name that is a token, and the same in lower case. */
export interface KnownName {
  readonly name: string;
  readonly lowerCase: string;
}

const spelled = [
  'Accept',
  'Accept-Encoding',
  'Accept-Language',
  'Accept-Ranges',
  'Age',
  'Authorization',
  'Cache-Control',
  'Connection',
  'Content-Encoding',
  'Content-Length',
  'Content-Type',
  'Cookie',
  'Date',
  'ETag',
  'Expires',
  'Host',
  'If-Modified-Since',
  'If-None-Match',
  'Keep-Alive',
  'Last-Modified',
  'Link',
  'Location',
  'Origin',
  'Pragma',
  'Range',
  'Referer',
  'Server',
  'Set-Cookie',
  'Strict-Transport-Security',
  'Transfer-Encoding',
  'User-Agent',
  'Vary',
  'Via',
  'X-Content-Type-Options',
  'X-Request-Id',
] as const;

const known: ReadonlyMap<string, KnownName> = new Map(
  spelled.flatMap((name) => {
    const lowerCase = name.toLowerCase();
    return [
      [name, { name, lowerCase }],
      [lowerCase, { name: lowerCase, lowerCase }],
    ] as const;
  }),
);

/** Undefined for a name that has to be looked at: it may be no token. */
export function knownName(name: string): KnownName | undefined {
  return known.get(name);
}
