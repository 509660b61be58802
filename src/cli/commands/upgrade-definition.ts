// `upstreamproxy upgrade`, as a definition.

import type { CommandDefinition } from '../definition/command-definition.ts';
import { jsonObjectOption } from './gateway-place-options.ts';

export const upgradeDefinition = {
  kind: 'command',
  name: 'upgrade',
  summary: 'says whether there is a newer release, and what it would change',
  description: [
    'It installs nothing. Without --url it asks the registry that npm is configured for, by npm itself.',
    'With --url it reads release.json in that folder. With --key it accepts only releases that this key signed. It also warns if the newest release is older than this program, because somebody may have put an old one back.',
    'A release in a folder also says which files and images it has. For a newer one the command lists those for this machine, with the digests to compare.',
  ],
  arguments: [],
  options: {
    check: { kind: 'flag', help: 'only looks, which is all that there is so far' },
    url: {
      kind: 'value',
      placeholder: 'URL',
      variable: 'UPSTREAMPROXY_RELEASES',
      help: 'the folder of releases, such as https://releases.example.com/upstreamproxy/',
    },
    key: {
      kind: 'path',
      placeholder: 'FILE',
      holds: 'file',
      variable: 'UPSTREAMPROXY_RELEASE_KEY',
      help: 'the public key of who signs releases (PEM); goes with --url',
    },
    ca: {
      kind: 'path',
      placeholder: 'FILE',
      holds: 'file',
      help: 'certificates that the server of --url is verified against, instead of those that this machine trusts',
    },
    json: jsonObjectOption,
  },
  lists: {
    what: 'this version, the newest one, which of them is newer, what would change, and the files and images with their digests',
    as: 'object',
  },
  exits: { 1: 'there is a newer release' },
  examples: [
    { line: 'upstreamproxy upgrade --check', purpose: 'with the registry of npm' },
    {
      line: 'upstreamproxy upgrade --check --url https://releases.example.com/upstreamproxy/ --key release-key.pem',
      purpose: 'with releases of your own, signed',
    },
  ],
} as const satisfies CommandDefinition;
