// Readers of what clients of SSH, and gateways, say of SSH.

import { WholeCharacters } from '../../../src/gateway/captured/whole-characters.ts';
import { PushGate } from '../../../src/gateway/ssh/push-gate.ts';
import { readSshCommand, sshCommandText } from '../../../src/policy/ssh-request.ts';
import { isKnownHosts } from '../../../src/protocol/known-hosts.ts';
import { isSigningKey } from '../../../src/protocol/signing-key.ts';
import { readIdentity } from '../../../src/understand/git-identity.ts';
import { readGitObject } from '../../../src/understand/git-object.ts';
import { readAgentRequest } from '../../../src/understand/ssh-agent-request.ts';
import { agentFrame, AgentMessages } from '../../../src/protocol/ssh-agent.ts';
import { publicKeyText } from '../../../src/gateway/ssh/session-bind.ts';
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
  'what a shell shows, octet by octet': {
    pieces: ['a', '\x80', '\xe2', '\xf0', '\xff'],
    read: (text) => {
      const whole = new WholeCharacters();
      for (const octet of latin1(text)) whole.take(Uint8Array.of(octet));
      whole.end();
      whole.take(latin1(text));
    },
  },
  'messages to the agent of SSH': {
    pieces: ['\0\0\0\x01\x0b', '\0\0\0\x05\x0d\0\0\0\0', '\0', '\0\0\0\x04', 'SSHSIG', '\xff'],
    read: (text) => {
      const octets = latin1(text);
      readAgentRequest(octets);
      for (const type of [13, 27]) readAgentRequest(agentFrame(Uint8Array.of(type, ...octets)));
      new AgentMessages().push(octets);
      publicKeyText(octets);
    },
  },
  'a commit or tag to sign': {
    pieces: [
      'tree ',
      'ab'.repeat(20),
      '\n',
      `parent ${'ab'.repeat(20)}\n`,
      'author ',
      'a <a@b> 1 +0000\n',
      ' ',
      '<',
      '.',
      '-----BEGIN ',
    ],
    read: (text) => {
      const id = 'ab'.repeat(20);
      const who = 'a <a@b> 1 +0000';
      readGitObject(latin1(text));
      readGitObject(latin1(`tree ${id}\n${text}\nauthor ${who}\ncommitter ${who}\n\n${text}`));
      readGitObject(latin1(`tree ${id}\nauthor ${text} <${text}> 1 +0000\ncommitter ${who}\n\n${text}`));
      readGitObject(
        latin1(`tree ${id}\nauthor ${who}\ncommitter ${who}\nmergetag object ${id}\n ${text}\n\n`),
      );
      readGitObject(latin1(`object ${id}\ntype commit\ntag ${text}\ntagger ${who}\n\n${text}\n`));
      readIdentity(text, true);
      readIdentity(text, false);
      isSigningKey({ key: `ssh-${text}`, automatic: [] });
      isSigningKey({ key: `ssh-ed25519 ${text}`, automatic: [] });
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
