// Configuration of git for signatures by the gateway, in variables of the environment (git-config(1), GIT_CONFIG_COUNT): what a user has set in
// files gives way to it, and what is set there or with `git -c` does not.

import { basename } from 'node:path';
import type { SessionSigningKey } from '../../protocol/session-messages.ts';
import { gitSignName } from './git-sign.ts';

type Variables = Readonly<Record<string, string | undefined>>;

/** Where one of these is in variables already, whoever set it has their own way to sign. */
const ownSettings = /^(?:gpg\.format|gpg\.ssh\.program|user\.signingkey)$/i;
const variablesMax = 1000;

/** The variables, counted on from those that are there; none where the user has said in such variables how to sign. */
export function gitConfiguration(
  base: Variables,
  program: string | undefined,
  signing: SessionSigningKey | undefined,
): Readonly<Record<string, string>> {
  const count = Number(base['GIT_CONFIG_COUNT'] ?? '0');
  if (program === undefined || signing === undefined) return {};
  // git itself refuses to start with such a number.
  if (!Number.isSafeInteger(count) || count < 0 || count > variablesMax) return {};
  if (signsAlready(base, count)) return {};
  const settings: readonly (readonly [string, string])[] = [
    ['gpg.format', 'ssh'],
    ['gpg.ssh.program', program],
    ['user.signingKey', `key::${signing.key}`],
    ...signing.automatic.map((one) => [`${one}.gpgSign`, 'true'] as const),
  ];
  const variables: Record<string, string> = { GIT_CONFIG_COUNT: String(count + settings.length) };
  for (const [at, [key, value]] of settings.entries()) {
    variables[`GIT_CONFIG_KEY_${count + at}`] = key;
    variables[`GIT_CONFIG_VALUE_${count + at}`] = value;
  }
  return variables;
}

/** Those of a session around this one give way. */
function signsAlready(base: Variables, count: number): boolean {
  const at = Array.from({ length: count }, (_, one) => one);
  const isOurs = at.some((one) => basename(base[`GIT_CONFIG_VALUE_${one}`] ?? '') === gitSignName);
  return !isOurs && at.some((one) => ownSettings.test(base[`GIT_CONFIG_KEY_${one}`] ?? ''));
}
