// The facts of a posture, in words. What a session does not have is as telling as what it has.

/** By the names that a policy asks for. */
const postureWords: Readonly<Record<string, string>> = {
  nondumpable: 'Other processes cannot read its memory',
  'exec-only': 'The executable cannot be read',
  untraced: 'No tracer is attached',
  'core-limit-zero': 'It writes no core files',
  'inspector-closed': 'No inspector is open',
  'environment-clean': 'Nothing in the environment holds code',
  jailed: 'The command runs in a jail',
  'network-isolated': 'The command has no other network',
  'files-hidden': 'Secrets of the home are hidden from the command',
  'no-token-in-container': 'No token stays in the container',
};

/** Of clients without an agent. What it says is told by its contrary. */
const tokenInContainer = 'token-in-container';

export interface PostureFact {
  readonly name: string;
  readonly words: string;
  readonly holds: boolean;
}

/** Every fact that is known here, and those that only the session knows. */
export function postureOf(holding: readonly string[]): readonly PostureFact[] {
  const held = new Set(holding);
  if (!held.delete(tokenInContainer)) held.add(`no-${tokenInContainer}`);
  const names = [...new Set([...Object.keys(postureWords), ...held])];
  return names.map((name) => ({
    name,
    words: postureWords[name] ?? 'A fact of another version',
    holds: held.has(name),
  }));
}
