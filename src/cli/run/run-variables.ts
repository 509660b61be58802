// Secrets in the caller's environment that the command of `run` does not get: it has placeholders, and the gateway of the run puts the
// secrets on where they belong.

import { placeholderFor } from '../../agent/home-secrets/placeholder.ts';
import { type KnownPlace, type KnownVariable, knownVariables } from '../../policy/catalog/known-variables.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { HomeCredential, HomeCredentialPlace } from '../../protocol/home-credential.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { Environment } from '../terminal/workload-environment.ts';

export interface ReplacedVariables {
  /** What the command has in their place, by their names. */
  readonly values: Readonly<Record<string, string>>;
  readonly credentials: readonly HomeCredential[];
  /** For a person: which ones, and for which hosts; empty if there are none. */
  readonly note: string;
}

interface VariableOptions {
  /** Names that stay as they are. */
  readonly keep: readonly string[];
  /** `NAME@HOST` of the caller: that variable goes to that host, in Authorization. */
  readonly named: readonly string[];
}

/** @throws ProxyError usage for what names no variable or no host */
export function replaceVariables(
  environment: Environment,
  { keep, named }: VariableOptions,
): ReplacedVariables {
  const wanted = new Map<string, readonly Wanted[] | string>();
  for (const [name, known] of knownVariables())
    if (!keep.includes(name)) wanted.set(name, placesIn(environment, known));
  for (const text of named) {
    const { name, place } = namedSecret(text);
    if ((environment[name] ?? '') === '')
      throw new ProxyError('usage', `--secret ${text}: there is no variable ${name}, or it is empty`);
    const before = wanted.get(name);
    const more: readonly Wanted[] = Array.isArray(before) && named.length > 0 ? namedBefore(before) : [];
    wanted.set(name, [...more, { place, field: 'authorization', isNamed: true }]);
  }
  const values: Record<string, string> = {};
  const credentials: HomeCredential[] = [];
  const told: string[] = [];
  for (const [name, places] of wanted) {
    const secret = environment[name] ?? '';
    if (secret === '') continue;
    const problem = typeof places === 'string' ? places : usableProblem(secret);
    if (problem !== undefined || typeof places === 'string') {
      told.push(`${name} stays as it is: ${problem}`);
      continue;
    }
    if (credentials.length + places.length > defaultLimits.homeCredentialsMax) {
      told.push(`${name} stays as it is: there are too many`);
      continue;
    }
    const placeholder = placeholderFor(secret);
    values[name] = placeholder;
    for (const { place, field, service } of places)
      credentials.push({
        name: `${name} for ${place.host}`,
        placeholder,
        secret,
        place,
        isVariable: true,
        ...(field === 'authorization' ? {} : { field }),
        ...(service === undefined ? {} : { service }),
      });
    told.push(`${name} (for ${[...new Set(places.map(({ place }) => textOf(place)))].join(', ')})`);
  }
  const note =
    told.length === 0
      ? ''
      : `upstreamproxy: variables with placeholders: ${told.join('; ')}. --keep-env NAME leaves one as it is\n`;
  return { values, credentials, note };
}

interface Wanted extends Pick<HomeCredential, 'service'> {
  readonly place: HomeCredentialPlace;
  readonly field: string;
  readonly isNamed?: true;
}

/** A host that the caller names takes the place of those of the catalogue; several stand together. */
const namedBefore = (before: readonly Wanted[]): readonly Wanted[] =>
  before.filter(({ isNamed }) => isNamed === true);

/** Where the entry has it, or where the caller's own environment leads the tools; or why there is no place for it. */
function placesIn(
  environment: Environment,
  { entry, plainTokens, places }: KnownVariable,
): readonly Wanted[] | string {
  const hosts = new Set(places.map(({ host }) => host));
  const elsewhere = new Map<string, HomeCredentialPlace>();
  for (const name of new Set(places.flatMap(({ hostVariables }) => hostVariables))) {
    const value = environment[name] ?? '';
    if (value === '') continue;
    const place = placeOf(value);
    if (place === undefined) return `${name} leads to no https:// address`;
    if (hosts.has(place.host)) continue;
    // A name alone says which server is meant, and not whether this is its secret.
    if (!value.includes('://')) return `${name} leads elsewhere`;
    // Of a service with several hosts the paths at one server are several too.
    elsewhere.set(place.host, hosts.size === 1 ? place : { ...place, path: '/' });
  }
  const own = [...hosts].map((host): HomeCredentialPlace => ({ host, port: 443, path: '/' }));
  // One that is led elsewhere is of there: no host of the entry gets it.
  const wanted = elsewhere.size === 0 ? own : [...elsewhere.values()];
  return wanted.flatMap((place) =>
    distinct(places, elsewhere.size === 0 ? place.host : undefined).map(({ host, field }) => ({
      place,
      field,
      service: { entry, host, ...(plainTokens ? { plainTokens } : {}) },
    })),
  );
}

/** One for each field, of one host or of all. */
function distinct(places: readonly KnownPlace[], host: string | undefined): readonly KnownPlace[] {
  const ofHost = places.filter((one) => host === undefined || one.host === host);
  return [...new Map(ofHost.map((one) => [one.field, one])).values()];
}

/** An https:// address, or a bare name; undefined for all else. */
function placeOf(text: string): HomeCredentialPlace | undefined {
  const whole = text.includes('://') ? text : `https://${text}`;
  const url = URL.canParse(whole) ? new URL(whole) : undefined;
  if (url === undefined || url.protocol !== 'https:' || url.username !== '' || url.password !== '')
    return undefined;
  if (url.search !== '' || url.hash !== '') return undefined;
  const path = url.pathname.endsWith('/') ? url.pathname.slice(0, -1) : url.pathname;
  const port = url.port === '' ? 443 : Number(url.port);
  return { host: url.hostname, port, path: path === '' ? '/' : path };
}

/** @throws ProxyError usage */
function namedSecret(text: string): { readonly name: string; readonly place: HomeCredentialPlace } {
  const [, name = '', host = ''] = /^([A-Za-z_][A-Za-z0-9_]{0,127})@([^@\s/]{1,260})$/.exec(text) ?? [];
  const place = host === '' ? undefined : placeOf(host);
  if (name === '' || place === undefined)
    throw new ProxyError(
      'usage',
      `--secret takes NAME@HOST, such as NPM_TOKEN@registry.example.com, not "${text}"`,
    );
  return { name, place };
}

/** Why it can't stand in a field of a request. */
function usableProblem(secret: string): string | undefined {
  if (secret.length > defaultLimits.homeSecretCharactersMax) return 'it is too long';
  return /^[\x21-\x7e]+$/.test(secret) ? undefined : 'it has characters that no field can have';
}

function textOf({ host, port, path }: HomeCredentialPlace): string {
  return `${host}${port === 443 ? '' : `:${port}`}${path === '/' ? '' : path}`;
}
