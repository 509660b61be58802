// The licences of what is in a single file: ours, those of the packages that are built into it, and the one of the runtime.

import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createRequire } from 'node:module';

interface Locked {
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly version?: string;
  readonly license?: string;
}

type PackageName = 'upstreamproxy-agent' | 'upstreamproxy-gateway';

/** The file `copyright`, as Debian calls it. */
export function copyrightText(name: PackageName): string {
  return `© 2026 the authors of upstreamproxy

${name} is licensed under the Apache License, Version 2.0.

On Debian systems its text is in /usr/share/common-licenses/Apache-2.0. It is also the first one in licences.gz beside this file, which has the
licences of all that is built into ${name}: the runtime Node.js${name === 'upstreamproxy-agent' ? '' : ', and packages of npm'}.
`;
}

/** The licences themselves. */
export function licenceTexts(root: string, name: PackageName): string {
  const parts = [
    `${name} is licensed under the Apache License, Version 2.0:\n\n${readFileSync(join(root, 'LICENSE'), 'utf8')}`,
    // The agent imports the modules of its runtime, and nothing else.
    ...(name === 'upstreamproxy-agent' ? [] : packageParts(root)),
    `It has the runtime Node.js built in, whose licence follows.\n\n${runtimeLicence(root)}`,
  ];
  return `${parts.map((part) => part.trimEnd()).join(`\n\n${'-'.repeat(78)}\n\n`)}\n`;
}

function packageParts(root: string): readonly string[] {
  // The project's own file.
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, Locked>>;
  };
  return Object.entries(packages)
    .filter(([path, { dev, optional }]) => path !== '' && dev !== true && optional !== true)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, { version = '', license = 'see its source' }]) => {
      const package_ = path.split('node_modules/').at(-1) ?? '';
      const text = licenceOf(join(root, path));
      return `It has the package ${package_} ${version} of npm built in (${license})${text === undefined ? '.' : `:\n\n${text}`}`;
    });
}

/** Some packages have none, and name it alone. */
function licenceOf(folder: string): string | undefined {
  const file = existsSync(folder)
    ? readdirSync(folder).find((name) => /^(?:licen[cs]e|copying)(?:\.\w+)?$/i.test(name))
    : undefined;
  return file === undefined ? undefined : readFileSync(join(folder, file), 'utf8');
}

/** Of the package that brings the runtime. */
function runtimeLicence(root: string): string {
  const require = createRequire(join(root, 'node_modules/node/package.json'));
  const platform = dirname(require.resolve(`node-linux-${process.arch}/package.json`));
  return readFileSync(join(platform, 'LICENSE'), 'utf8');
}
