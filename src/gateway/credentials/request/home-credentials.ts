// Secrets of the caller's home, which the embedded gateway puts on in place of what stands for them in the command's files. They open
// nothing: the policy has decided before, and they go only to the place beside which they stand.

import { Buffer } from 'node:buffer';
import type { HeaderList } from '../../../http/header-list.ts';
import type { RequestHead } from '../../../http/message-head.ts';
import type { AllowDecision, RuleReference } from '../../../policy/decision.ts';
import { ProxyError } from '../../../protocol/error.ts';
import type { HomeCredential } from '../../../protocol/home-credential.ts';
import type { Limits } from '../../../protocol/limits.ts';
import { Secret } from '../../../protocol/secret.ts';
import { SearchedCredential, searchedValues, TableBudget } from '../../scrub/searched-credential.ts';
import type { SearchedValues } from '../../scrub/response-scrubber.ts';
import { askSearchable } from '../../scrub/searchable-response.ts';
import { asFieldValue } from './field-value.ts';

/** What requests may be made with them. */
export type HomeCredentialUse = 'read' | 'write';

export interface HomeInjection {
  readonly head: RequestHead;
  /** The name for the audit. */
  readonly name: string;
  readonly searched: SearchedValues | undefined;
}

interface Entry {
  readonly credential: HomeCredential;
  readonly secret: Secret<string>;
  readonly searched: SearchedCredential;
}

/** Where a placeholder stands in `Authorization`, and what is to stand there. */
interface Spot {
  readonly entry: Entry;
  readonly field: string;
}

export class HomeCredentials {
  readonly #use: HomeCredentialUse;
  readonly #byPlaceholder: ReadonlyMap<string, Entry>;

  constructor(credentials: readonly HomeCredential[], use: HomeCredentialUse, limits: Limits) {
    this.#use = use;
    const tables = new TableBudget(limits);
    this.#byPlaceholder = new Map(
      credentials.map((credential) => {
        const { name, placeholder } = credential;
        const secret = new Secret(credential.secret);
        return [placeholder, { credential, secret, searched: new SearchedCredential(name, tables) }];
      }),
    );
  }

  /**
   * The head with the secret on it; undefined if none is meant, or it is meant for another place.
   * @throws ProxyError policy_denied for more than a read, credential_unavailable
   */
  inject(
    head: RequestHead,
    { homeWrites, rule }: Pick<AllowDecision, 'homeWrites' | 'rule'>,
  ): HomeInjection | undefined {
    if (head.destination.scheme !== 'https') return undefined;
    const fields = head.headers.all('authorization');
    const [field = ''] = fields;
    const spot = fields.length === 1 ? this.#spotIn(field) : undefined;
    if (spot === undefined || !isAtPlace(head, spot.entry.credential)) return undefined;
    const { credential, secret, searched } = spot.entry;
    if (this.#use === 'read' && homeWrites !== true && !isRead(head))
      throw refusedWrite(head, credential.name, rule);
    searched.note([secret]);
    const own = withAuthorization(head.headers, spot.field);
    // Decoded where an origin does not heed that.
    const headers = askSearchable(own, { decode: false, keepsRange: false });
    return { head: { ...head, headers }, name: credential.name, searched: searchedValues([searched]) };
  }

  /** Behind a scheme, or as user or password of Basic; nowhere else. */
  #spotIn(field: string): Spot | undefined {
    const [, scheme = '', rest = ''] = /^([A-Za-z][A-Za-z0-9-]{0,30}) ([\x21-\x7e]+)$/.exec(field) ?? [];
    const whole = this.#byPlaceholder.get(rest);
    if (whole !== undefined)
      return { entry: whole, field: `${scheme} ${asFieldValue(whole.secret.reveal())}` };
    if (scheme.toLowerCase() !== 'basic') return undefined;
    const pair = Buffer.from(rest, 'base64').toString('utf8');
    const colon = pair.indexOf(':');
    if (colon === -1) return undefined;
    const [user, password] = [pair.slice(0, colon), pair.slice(colon + 1)];
    const asPassword = this.#byPlaceholder.get(password);
    if (asPassword !== undefined)
      return { entry: asPassword, field: basic(`${user}:${asPassword.secret.reveal()}`) };
    const asUser = this.#byPlaceholder.get(user);
    if (asUser === undefined || asUser.secret.reveal().includes(':')) return undefined;
    return { entry: asUser, field: basic(`${asUser.secret.reveal()}:${password}`) };
  }
}

function basic(pair: string): string {
  return `Basic ${Buffer.from(pair, 'utf8').toString('base64')}`;
}

function withAuthorization(headers: HeaderList, value: string): HeaderList {
  return headers.without('authorization').with('Authorization', value);
}

function isAtPlace({ destination, path }: RequestHead, { place }: HomeCredential): boolean {
  if (destination.host !== place.host || destination.port !== place.port) return false;
  return place.path === '/' || path === place.path || path.startsWith(`${place.path}/`);
}

/** What changes nothing at the origin: reads, and the fetch of git, which asks by POST. */
function isRead({ method, path, query }: RequestHead): boolean {
  if (method === 'POST') return path.endsWith('/git-upload-pack');
  if (method !== 'GET' && method !== 'HEAD') return false;
  // With it a push begins, which says more clearly so that it may not.
  return !(path.endsWith('/info/refs') && query.includes('git-receive-pack'));
}

function refusedWrite({ method, destination }: RequestHead, name: string, rule: RuleReference): ProxyError {
  // A grant and observe mode stand in no file.
  const byRule =
    rule.place === undefined ? '' : `, and so does homeCredentials: write in the rule ${rule.name}`;
  return new ProxyError(
    'policy_denied',
    `${method} to ${destination.host} would be made with a secret of the home (${name}), which serves reads alone; ` +
      `run --home-credentials=write allows writes with it${byRule}`,
  );
}
