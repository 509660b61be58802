// `config.json` of docker, `auth.json` of podman: registries with the pair of Basic, and other settings.

import { placeOf, replaceInPair, replaceInUrls, type ReplaceSecret } from './secret-form.ts';
import { isSecretName } from './settings-form.ts';

/** Helpers that are named stay: they run inside, where what they ask is hidden. */
export function dockerConfig(text: string, replace: ReplaceSecret): string {
  const document: unknown = JSON.parse(text);
  if (!isObject(document)) throw new Error('it is no object');
  const { auths, HttpHeaders: headers, ...others } = document;
  const leftOut = Object.keys(others).filter((name) => isSecretName(name));
  if (headers !== undefined || leftOut.length > 0) replace('', undefined);
  const kept = Object.fromEntries(Object.entries(others).filter(([name]) => !leftOut.includes(name)));
  const registries = isObject(auths) ? registriesOf(auths, replace) : undefined;
  const all = registries === undefined ? kept : { auths: registries, ...kept };
  return `${JSON.stringify(withoutUsers(all, replace), undefined, 2)}\n`;
}

/** Proxies, too, stand there with their users. */
function withoutUsers(value: unknown, replace: ReplaceSecret): unknown {
  if (typeof value === 'string') return replaceInUrls(value, replace);
  if (Array.isArray(value)) return value.map((one) => withoutUsers(one, replace));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, withoutUsers(one, replace)]));
}

function registriesOf(auths: Readonly<Record<string, unknown>>, replace: ReplaceSecret): object {
  return Object.fromEntries(
    Object.entries(auths).flatMap(([registry, entry]) => {
      if (!isObject(entry)) return [];
      const { auth, username, password, email } = entry;
      const place = placeOf(registry.includes('://') ? registry : `https://${registry}`);
      const said = typeof auth === 'string' && auth !== '' ? auth : pairText(username, password);
      // What helpers keep stands as an empty entry.
      if (said === undefined && Object.keys(entry).length === 0) return [[registry, {}]];
      if (said === undefined) {
        replace('', undefined);
        return [];
      }
      const replaced = replaceInPair(said, replace, place);
      if (replaced === undefined) return [];
      return [[registry, { auth: replaced, ...(typeof email === 'string' ? { email } : {}) }]];
    }),
  );
}

function pairText(user: unknown, password: unknown): string | undefined {
  if (typeof user !== 'string' || typeof password !== 'string') return undefined;
  return Buffer.from(`${user}:${password}`).toString('base64');
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
