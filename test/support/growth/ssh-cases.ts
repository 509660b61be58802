// Readers of what clients of SSH, and gateways, say of SSH.

import { PushGate } from '../../../src/gateway/ssh/push-gate.ts';
import { readSshCommand, sshCommandText } from '../../../src/policy/ssh-request.ts';
import { isKnownHosts } from '../../../src/protocol/known-hosts.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { latin1, type GrowthCases } from './growth-case.ts';

export const sshCases: GrowthCases = {
  'a command of SSH': {
    pieces: ["git-upload-pack '", 'a/', '-', "'", '.git', "'\\''"],
    read: (text) => {
      sshCommandText(readSshCommand(text), true);
      sshCommandText(readSshCommand(`git-upload-pack '${text}'`), false);
    },
  },
  'lines of known_hosts': {
    pieces: ['a', '[', '*.', ' ssh-ed25519 ', 'A', '\n'],
    read: (text) => {
      isKnownHosts(text);
      isKnownHosts(`${text}\n`);
    },
  },
  'the beginning of a push over SSH': {
    pieces: ['0000', '0008abc\n', '000', 'fff0', 'a'],
    read: (text) => {
      const gate = new PushGate({
        limits: defaultLimits,
        judge: () => ({ kind: 'allowed' }),
        broken: () => undefined,
      });
      gate.throughClient.resume().end(latin1(text));
      gate.throughClient.destroy();
    },
  },
};
