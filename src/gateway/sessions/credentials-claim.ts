// The claim of a token by which its session may use some credentials of the gateway, and no others.

import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';

export const credentialsClaim = 'credentials';

/** As the claim has them. @throws ProxyError usage for a name that the gateway does not know */
export function credentialsOf(
  texts: readonly string[],
  known: Readonly<Record<string, unknown>>,
): readonly string[] {
  const names = texts.flatMap((text) => text.split(',').map((name) => name.trim()));
  const unknown = names.find((name) => !Object.hasOwn(known, name));
  if (unknown !== undefined)
    throw new ProxyError('usage', `--credentials: the configuration has no credential "${unknown}"`);
  const { tokenCredentialsMax: most } = defaultLimits;
  const once = [...new Set(names)];
  if (once.length > most)
    throw new ProxyError(
      'limit_exceeded',
      `--credentials takes ${most} names at most (tokenCredentialsMax)`,
      {
        limit: 'tokenCredentialsMax',
      },
    );
  return once;
}
