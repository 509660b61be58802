// Which members of what servers of OAuth say and are told are tokens, by their names: what each grants, and where it may be put.

/**
 * `access`: goes into Authorization at the hosts of the log-in. All others go back to the server that gave them, and nowhere else: `client` and
 * `registration` are of a client that registered itself (RFC 7591), `device` polls (RFC 8628), `other` has a name of which it is not known what it
 * grants.
 */
export const tokenKinds = [
  'access',
  'refresh',
  'id',
  'code',
  'device',
  'client',
  'registration',
  'other',
] as const;
export type TokenKind = (typeof tokenKinds)[number];

export interface FoundToken {
  readonly kind: TokenKind;
  readonly value: string;
}

/** By the end of the name, in lower case and without what joins words. The first that fits. */
const kindsByEnd: readonly (readonly [end: string, kind: TokenKind])[] = [
  ['registrationaccesstoken', 'registration'],
  ['accesstoken', 'access'],
  ['refreshtoken', 'refresh'],
  ['idtoken', 'id'],
  ['devicecode', 'device'],
  ['clientsecret', 'client'],
  ['authorizationcode', 'code'],
  ['authcode', 'code'],
  ['authreqid', 'other'],
  ['token', 'other'],
  ['jwt', 'other'],
  ['secret', 'other'],
  ['password', 'other'],
  ['assertion', 'other'],
  ['apikey', 'other'],
  ['accesskey', 'other'],
  ['privatekey', 'other'],
];

/** Undefined: no token stands under that name. */
export function tokenKindOf(name: string): TokenKind | undefined {
  const plain = plainName(name);
  return kindsByEnd.find(([end]) => plain.endsWith(end))?.[1];
}

function plainName(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
}

/** What an address hands out in its query or its fragment (RFC 6749 §4.1.2, §4.2.2; RFC 9207 and `state` are no secrets). */
export function tokenKindInAddress(name: string): TokenKind | undefined {
  return name.toLowerCase() === 'code' ? 'code' : tokenKindOf(name);
}

/** Parameters of requests to a server of OAuth, and whose placeholders are replaced there. Names as RFC 6749, 7009, 7662, 8628 and 8693 write them. */
const places: ReadonlyMap<string, readonly TokenKind[]> = new Map<string, readonly TokenKind[]>([
  ['refresh_token', ['refresh']],
  ['token', ['access', 'refresh', 'other']],
  ['access_token', ['access']],
  ['subject_token', ['access', 'refresh', 'id', 'other']],
  ['actor_token', ['access', 'id', 'other']],
  ['assertion', ['access', 'id', 'other']],
  ['id_token_hint', ['id']],
  ['code', ['code']],
  ['device_code', ['device']],
  ['auth_req_id', ['other']],
  ['client_secret', ['client']],
]);

/** Whether a placeholder of that kind is replaced in a parameter of that name. */
export function isPlaceOf(name: string, kind: TokenKind): boolean {
  return places.get(name)?.includes(kind) === true;
}

/** Whether some placeholder is replaced there. */
export function isPlace(name: string): boolean {
  return places.has(name);
}

/**
 * JSON Web Tokens in the compact form: signed ones of three parts (RFC 7515 §7.1), and encrypted ones of five (RFC 7516 §7.1), whose second part is
 * empty where the key is agreed on directly.
 */
export const jsonWebTokenPattern =
  /^eyJ[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*)?$/;

/** Whether it is the one that the tool refreshes with from now on; `previous_refresh_token` is not. */
export function isNextRefresh(name: string): boolean {
  return plainName(name) === 'refreshtoken';
}
