// What a policy can demand of the agent that a session came by.

/** Names of posture facts that a policy can demand. */
export const postureFacts = [
  'nondumpable',
  'exec-only',
  'untraced',
  'core-limit-zero',
  'inspector-closed',
  'environment-clean',
  'jailed',
  'network-isolated',
  'files-hidden',
  'token-in-container',
  'no-token-in-container',
] as const;
