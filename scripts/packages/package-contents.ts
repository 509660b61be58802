// What the packages for Debian and for RPM have in them. One table for both: only where a shell looks for its completion differs.

import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { definitions } from '../../src/cli/commands/definitions.ts';
import type { Definition } from '../../src/cli/definition/command-definition.ts';
import type { ProgramName } from '../../src/cli/definition/render-help.ts';
import { gatewayText, policyText, type FirstGateway } from '../../src/cli/gateway/init-files.ts';
import { bashCompletion } from '../../src/cli/help/bash-completion.ts';
import { completionPlaces } from '../../src/cli/help/completion-places.ts';
import { fishCompletion } from '../../src/cli/help/fish-completion.ts';
import { renderMan } from '../../src/cli/help/render-man.ts';
import { zshCompletion } from '../../src/cli/help/zsh-completion.ts';
import { agentDefinitions, gatewayCommands } from '../../src/cli/single-file-commands.ts';

/** One file of a package. Everything is root's. */
export type PackageFile = {
  /** From the root of the file system, without the first slash. */
  readonly path: string;
  readonly mode: number;
  /** What an operator changes: an upgrade keeps it. */
  readonly isConfiguration?: true;
} & (
  | { readonly copyOf: string }
  | { readonly bytes: string | Uint8Array }
  /** Where a symbolic link leads. */
  | { readonly leadsTo: string }
);

export interface PackageContents {
  readonly name: 'upstreamproxy-agent' | 'upstreamproxy-gateway';
  readonly summary: string;
  readonly description: string;
  readonly files: readonly PackageFile[];
}

export interface ContentNeeds {
  readonly root: string;
  readonly version: string;
  /** Paths of the single files. */
  readonly agent: string;
  readonly gateway: string;
  /** The licences of all that is in each. */
  readonly licences: Readonly<Record<'agent' | 'gateway', string>>;
  readonly zshFolder: string;
}

/** As `init` writes it, where the package keeps things; it serves this machine alone and allows nothing. */
const first: FirstGateway = {
  name: 'localhost',
  port: 8443,
  stateFolder: '/var/lib/upstreamproxy',
  start: 'nothing',
};

export function agentContents(needs: ContentNeeds): PackageContents {
  const name = 'upstreamproxy-agent';
  const own = agentDefinitions(definitions);
  return {
    name,
    summary: 'lets a locked-down container reach what a gateway allows',
    description:
      'The agent stands in a container whose code is not trusted. It leads the connections of its tools to an upstreamproxy gateway, which decides by a policy and puts credentials on: the code in the container has neither secrets nor a network.',
    files: [
      // Its user cannot read it: then the kernel closes the memory of its process from the first instruction on.
      { path: `usr/bin/${name}`, mode: 0o711, copyOf: needs.agent },
      ...shellFiles(needs, name, own),
      ...documents(needs, 'agent', []),
    ],
  };
}

export function gatewayContents(needs: ContentNeeds): PackageContents {
  const name = 'upstreamproxy-gateway';
  const own = definitionsOf(gatewayCommands);
  const unit = (file: string): string => join(needs.root, 'deploy/systemd', file);
  const configuration = (path: string, bytes: string): PackageFile => ({
    path: `etc/upstreamproxy/${path}`,
    // It may name files that hold secrets. The script of the package gives it to the group of the gateway.
    mode: 0o640,
    bytes,
    isConfiguration: true,
  });
  return {
    name,
    summary: 'decides what locked-down containers reach, and holds their credentials',
    description:
      'The gateway stands outside of containers whose code is not trusted. It decides each request by a policy, puts credentials on that the containers never see, and writes an audit. Agents in the containers reach it over one TLS port.',
    files: [
      { path: `usr/bin/${name}`, mode: 0o711, copyOf: needs.gateway },
      // As the documents call it.
      { path: 'usr/bin/upstreamproxy', mode: 0o777, leadsTo: name },
      configuration('gateway.yaml', gatewayText(first)),
      configuration('policy.yaml', policyText(first, { services: [] })),
      ...['service', 'socket'].map((kind) => {
        const file = `${name}.${kind}`;
        return { path: `usr/lib/systemd/system/${file}`, mode: 0o644, copyOf: unit(file) };
      }),
      ...['sysusers', 'tmpfiles'].map((kind) => {
        return { path: `usr/lib/${kind}.d/${name}.conf`, mode: 0o644, copyOf: unit(`${name}.${kind}`) };
      }),
      ...shellFiles(needs, 'upstreamproxy', own),
      ...documents(needs, 'gateway', ['docs/guides', 'docs/reference', 'schema']),
    ],
  };
}

function definitionsOf(names: ReadonlySet<string>): readonly Definition[] {
  return definitions.filter(({ name }) => names.has(name));
}

/** Pages for man(1), and completion for three shells. */
function shellFiles(
  { version, zshFolder }: ContentNeeds,
  name: ProgramName,
  own: readonly Definition[],
): readonly PackageFile[] {
  const places = completionPlaces({ name, definitions: own });
  const file = (path: string, bytes: string | Uint8Array): PackageFile => ({ path, mode: 0o644, bytes });
  return [
    ...renderMan({ name, definitions: own }, version).map((page) =>
      file(`usr/share/man/man1/${page.file}.gz`, compressed(page.text)),
    ),
    file(`usr/share/bash-completion/completions/${name}`, bashCompletion(name, places)),
    file(`${zshFolder}/_${name}`, zshCompletion(name, places)),
    file(`usr/share/fish/vendor_completions.d/${name}.fish`, fishCompletion(name, places)),
  ];
}

function documents(
  { root, licences }: ContentNeeds,
  kind: 'agent' | 'gateway',
  folders: readonly string[],
): readonly PackageFile[] {
  const name = `upstreamproxy-${kind}` as const;
  const target = `usr/share/doc/${name}`;
  const files = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(folder, entry.name))
      .toSorted(),
  );
  return [
    { path: `${target}/copyright`, mode: 0o644, bytes: copyrightText(name) },
    { path: `${target}/licences.gz`, mode: 0o644, bytes: compressed(licences[kind]) },
    {
      path: `${target}/changelog.gz`,
      mode: 0o644,
      bytes: compressed(readFileSync(join(root, 'CHANGELOG.md'))),
    },
    ...files.map((path) => ({ path: `${target}/${path}`, mode: 0o644, copyOf: join(root, path) })),
  ];
}

/** The file `copyright`, as Debian calls it. */
function copyrightText(name: PackageContents['name']): string {
  return `© 2026 the authors of upstreamproxy

${name} is licensed under the Apache License, Version 2.0.

On Debian systems its text is in /usr/share/common-licenses/Apache-2.0. It is also the first one in licences.gz beside this file, which has the
licences of all that is built into ${name}: packages of npm, and the runtime Node.js.
`;
}

/** Without name and time, so that the same text gives the same bytes. */
function compressed(text: string | Uint8Array): Uint8Array {
  return gzipSync(text, { level: 9 });
}

/** The folders of the files, the outermost first. */
export function foldersOf(files: readonly PackageFile[]): readonly string[] {
  const folders = new Set<string>();
  for (const { path } of files) {
    const parts = path.slice(0, -basename(path).length - 1).split('/');
    for (let i = 1; i <= parts.length; i++) folders.add(parts.slice(0, i).join('/'));
  }
  return [...folders].toSorted();
}
