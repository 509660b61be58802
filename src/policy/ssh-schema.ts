// `ssh` of a rule as it is written.

import { z } from 'zod';
import { gitSchema } from './git-schema.ts';
import { oneOrMany } from './schema-parts.ts';
import { strictMap } from './yaml-source.ts';

const keyHint =
  'write a public key of the server as known_hosts has it, such as ssh-ed25519 AAAAC3Nza…, or a list of them; ssh-keyscan prints them, and who runs the server says whether they are right';

/** Of a key in base64, by its type: the octets say the type too. RSA below 2,048 bits is shorter. */
const keyForms: ReadonlyMap<string, { readonly start: string; readonly lengthMin: number }> = new Map([
  ['ssh-ed25519', { start: 'AAAAC3NzaC1lZDI1NTE5AAAAI', lengthMin: 68 }],
  ['ecdsa-sha2-nistp256', { start: 'AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAAB', lengthMin: 140 }],
  ['ecdsa-sha2-nistp384', { start: 'AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAAB', lengthMin: 180 }],
  ['ecdsa-sha2-nistp521', { start: 'AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAAC', lengthMin: 230 }],
  ['ssh-rsa', { start: 'AAAAB3NzaC1yc2EAAAA', lengthMin: 370 }],
]);

/** Type and base64; what stands behind them is a comment. */
export const sshPublicKey = (hint: string) =>
  z
    .string({ error: hint })
    .max(4096, { error: hint })
    .refine(
      (text) => {
        const [type = '', key = ''] = text.split(' ');
        const form = keyForms.get(type);
        return (
          form !== undefined &&
          /^[A-Za-z0-9+/]+={0,2}$/.test(key) &&
          key.length % 4 === 0 &&
          key.startsWith(form.start) &&
          key.length >= form.lengthMin
        );
      },
      { error: hint },
    );
const hostKey = sshPublicKey(keyHint);

const commandHint = 'write a command to the letter, such as uptime, or a list of them';
const gitHint = 'write git: { repository: acme/app, operations: fetch }, or a list of such maps';

export const sshSchema = strictMap(
  {
    hostKeys: oneOrMany(hostKey, keyHint).describe(
      'Public keys of the server, as in known_hosts without the name: it has to have one of them.',
    ),
    git: oneOrMany(gitSchema, gitHint)
      .optional()
      .describe('What git may do, in the words of "git" of a rule; of a list, any.'),
    commands: oneOrMany(
      z
        .string({ error: commandHint })
        .min(1, { error: commandHint })
        .max(1000, { error: commandHint })
        // oxlint-disable-next-line no-control-regex -- they are what is looked for
        .refine((text) => !/[\u0000-\u001f\u007f]/.test(text), { error: commandHint }),
      commandHint,
    )
      .optional()
      .describe('Commands that may be run, to the letter.'),
    shell: z
      .enum(['record', 'record-all'], { error: 'write record, or record-all, or leave it out' })
      .optional()
      .describe(
        'A shell may be opened. It is recorded beside its event: what it shows (`record`), or what is sent to it as well (`record-all`).',
      ),
    paths: z
      .literal('absolute', { error: 'write absolute, or leave it out' })
      .optional()
      .describe(
        'Paths of repositories are sent with a slash before them, for servers where they are paths of the file system. Without it they are sent without one.',
      ),
  },
  {
    hint: 'write ssh: { hostKeys: ssh-ed25519 AAAA…, git: { repository: acme/app, operations: fetch } }',
    synonyms: {
      hostKey: 'hostKeys',
      hostkeys: 'hostKeys',
      knownHosts: 'hostKeys',
      command: 'commands',
      exec: 'commands',
    },
  },
);
