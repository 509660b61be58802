// `upstreamproxy packages`, as a definition.

import type { CommandDefinition, GroupDefinition } from '../definition/command-definition.ts';
import { gatewayPlaceOptions, jsonLinesOption, jsonObjectOption } from './gateway-place-options.ts';
import { operatorPlaceOptions } from './operator-place-options.ts';
import { policyConfigOption, policyFilesOption } from './policy-options.ts';

const advisories = {
  kind: 'command',
  name: 'advisories',
  summary: 'makes the index of advisories and malware that rules look into, of exports of OSV',
  description: [
    'FILE is an export of OSV (all.zip), a record (JSON), or a folder of them. The index has what all of them have, and no more. Name every export each time.',
    'It is written whole or not at all, with mode 0600. Run the command as the user that the gateway runs as.',
    'Exports that have less than half of the advisories of a registry, or are older than what is there, change nothing without --replace.',
  ],
  forms: ['packages advisories import FILE... (--config CONFIG | --index INDEX) [--replace] [--json]'],
  arguments: [
    { name: 'WHAT', help: 'import', required: true, words: ['import'] },
    { name: 'FILE', help: 'export, record, or folder', repeated: true, takes: 'path' },
  ],
  options: {
    config: gatewayPlaceOptions.config,
    index: {
      kind: 'path',
      placeholder: 'INDEX',
      holds: 'file',
      help: 'or the file to write, instead of `advisories.index` of the configuration',
    },
    replace: {
      kind: 'flag',
      help: 'writes the index even if the exports have much less than it, or are older, or if the present index cannot be read',
    },
    json: jsonObjectOption,
  },
  lists: {
    what: 'how many records were read, what each registry has, and which advisories are new, gone and withdrawn',
    as: 'object',
  },
  examples: [
    {
      line: 'upstreamproxy packages advisories import npm/all.zip pypi/all.zip --config gateway.yaml',
      purpose: 'after each download of the exports',
    },
  ],
} as const satisfies CommandDefinition;

const registryOption = {
  kind: 'choice',
  placeholder: 'REGISTRY',
  required: true,
  choices: {
    npm: 'npm, pnpm, yarn, bun',
    pypi: 'pip, uv, poetry',
    cargo: 'crates.io and other sparse indexes',
    go: 'proxies of Go modules',
    maven: 'Maven, Gradle',
    rubygems: 'gem, Bundler',
    oci: 'images',
  },
  help: 'how the registry speaks',
} as const;

const explain = {
  kind: 'command',
  name: 'explain',
  summary: 'says by which rule a version of a package is let through or not, and why',
  description: [
    'It asks the policy the question that the gateway asks when a client fetches the archive, and contacts nothing. Without VERSION and with --metadata it says it of every version.',
    'The age of a version is in the metadata of its registry: save that, or say when the version came out. Where neither is there, and the age decides, the version counts as too young.',
  ],
  forms: [
    'packages explain NAME@VERSION --registry REGISTRY (--policy FILE | --config FILE) [--metadata FILE | --published TIME] [options]',
    'packages explain NAME --registry REGISTRY (--policy FILE | --config FILE) [--metadata FILE] [options]',
  ],
  arguments: [
    { name: 'PACKAGE', help: 'NAME@VERSION, or NAME, as the registry writes them', required: true },
  ],
  options: {
    registry: registryOption,
    index: {
      kind: 'value',
      placeholder: 'URL',
      help: 'where it begins; without it at every registry that the policy names',
    },
    policy: policyFilesOption,
    config: policyConfigOption,
    name: {
      kind: 'value',
      placeholder: 'NAME',
      help: 'with --config and `policy: store`: the published policy of this name',
    },
    metadata: {
      kind: 'path',
      placeholder: 'FILE',
      holds: 'file',
      help: 'what the registry tells of the package, - for standard input; of PyPI its JSON',
    },
    published: { kind: 'value', placeholder: 'TIME', help: 'or when the version came out, RFC 3339' },
    claims: {
      kind: 'path',
      placeholder: 'FILE',
      holds: 'file',
      help: 'claims of the session, as a JSON object',
    },
    posture: {
      kind: 'value',
      placeholder: 'FACTS',
      help: 'facts of the session that "require" can ask for, with commas between them',
    },
    json: jsonLinesOption,
  },
  lists: { what: 'the versions, each with its decision and what became of every rule', as: 'lines' },
  exits: { 77: 'a version is not let through' },
  examples: [
    {
      line: 'upstreamproxy packages explain lodash@4.17.21 --registry npm --policy policy.yaml --published 2021-02-20T15:42:16Z',
      purpose: 'one version',
    },
    {
      line: 'upstreamproxy packages explain lodash --registry npm --policy policy.yaml --metadata lodash.json',
      purpose: 'which versions a client hears of',
    },
  ],
} as const satisfies CommandDefinition;

const forget = {
  kind: 'command',
  name: 'forget',
  summary: 'lets the store forget when versions were seen first, and what was promised of them then',
  description: [
    'Registries of Go, Maven, images, and some of RubyGems do not say when a version came out, so it counts from when a gateway saw it first. A version that is forgotten counts as new from when a gateway sees it next, and its first digest no longer stays.',
    'Without PACKAGE it forgets all of the registry at --index. A version is written as the store has it: of images it is a digest, of Maven all files of the version are meant. --dry-run shows them. Gateways that run take it up within a minute, of images and gems when they start next.',
    'By a server it takes the role administrator. The audit has it as `packages_forgotten`.',
  ],
  forms: [
    'packages forget PACKAGE[@VERSION] --registry REGISTRY [--index URL] [--dry-run] [--json]',
    'packages forget --registry REGISTRY --index URL [--dry-run] [--json]',
  ],
  arguments: [{ name: 'PACKAGE', help: 'name, or NAME@VERSION' }],
  options: {
    registry: registryOption,
    index: {
      kind: 'value',
      placeholder: 'URL',
      help: 'where the registry begins; without it all that speak so are meant',
    },
    'dry-run': { kind: 'flag', help: 'only shows what it would forget' },
    ...operatorPlaceOptions,
    json: jsonObjectOption,
  },
  lists: { what: 'what was forgotten, or would be, and how many more there are', as: 'object' },
  examples: [
    {
      line: 'upstreamproxy packages forget example.com/mod@v1.2.0 --registry go --dry-run --config gateway.yaml',
      purpose: 'what would be forgotten of a version',
    },
    {
      line: 'upstreamproxy packages forget --registry maven --index https://maven.example.com/ --context production',
      purpose: 'all of a registry, at a gateway elsewhere',
    },
  ],
} as const satisfies CommandDefinition;

const report = {
  kind: 'command',
  name: 'report',
  summary: 'lists the packages that a session got, with digests, ages and rules',
  description: [
    'It reads the audit of the session. Rules with `packages` write there which package a request is for; without one nothing is known.',
    'It also says which versions were hidden from the session, and which it was refused.',
  ],
  arguments: [{ name: 'SESSION', help: 'its id, as `session list` shows it', required: true }],
  options: {
    ...operatorPlaceOptions,
    format: {
      kind: 'choice',
      placeholder: 'FORMAT',
      choices: { text: 'tables', cyclonedx: 'a bill of materials, CycloneDX 1.6 in JSON' },
      otherwise: 'text',
      help: 'how it is printed',
    },
    json: jsonObjectOption,
  },
  lists: { what: 'the packages that came, what was hidden, and what was refused', as: 'object' },
  examples: [
    { line: 'upstreamproxy packages report SESSION --config gateway.yaml', purpose: 'of the store here' },
    {
      line: 'upstreamproxy packages report SESSION --context production --format cyclonedx > bill.json',
      purpose: 'a bill of materials, from a gateway elsewhere',
    },
  ],
} as const satisfies CommandDefinition;

const test = {
  kind: 'command',
  name: 'test',
  summary: 'shows in a session whether a rule about packages is in force for a registry',
  description: [
    'Run it inside the container, in the environment of a session. It asks the registry for a package that no registry has, and that every rule with `packages` refuses before anything goes out. If it is not refused, no such rule is in force for the registry, or another rule lets everything through.',
    'With --package it asks for a version of yours as well, and prints what a client is told. That changes nothing of the exit code.',
  ],
  forms: ['packages test --registry REGISTRY --index URL [--package NAME@VERSION] [--json]'],
  arguments: [],
  options: {
    registry: registryOption,
    index: { kind: 'value', placeholder: 'URL', required: true, help: 'where the registry begins' },
    package: { kind: 'value', placeholder: 'NAME@VERSION', help: 'a version to ask for as well' },
    json: jsonObjectOption,
  },
  lists: {
    what: 'each package that was asked for, with what its list and its archive came to',
    as: 'object',
  },
  exits: { 1: 'no rule about packages is in force for the registry' },
  examples: [
    {
      line: 'upstreamproxy packages test --registry npm --index https://npm.example.com/',
      purpose: 'one registry',
    },
    {
      line: 'upstreamproxy packages test --registry npm --index https://npm.example.com/ --package left-pad@1.3.0',
      purpose: 'and a version of yours',
    },
  ],
} as const satisfies CommandDefinition;

export const packagesDefinition = {
  kind: 'group',
  name: 'packages',
  summary: 'why a package is let through or not, which ones came, and what is known against them',
  question: 'what about packages?',
  actions: [advisories, explain, forget, report, test],
} as const satisfies GroupDefinition;
