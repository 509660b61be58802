// The files of a first gateway, as text.

import { builtInEntries } from '../../policy/catalog/built-in-entries.ts';
import type { FoundService } from './found-services.ts';

export type FirstPolicy = 'observe' | 'npm' | 'found' | 'nothing';

export interface FirstGateway {
  /** A host name or an address; the configuration's own check says whether it is one. */
  readonly name: string;
  readonly port: number;
  /** As it stands in the file: from the file's own folder, or absolute. */
  readonly stateFolder: string;
  readonly start: FirstPolicy;
}

/** What is known of the folder in which the command was started. */
export interface FirstPlace {
  readonly services: readonly FoundService[];
  /** Entries whose hosts a tool has to tell, and no tool here does. */
  readonly untold?: ReadonlySet<string>;
}

const loopback = new Set(['localhost', '127.0.0.1', '::1']);

export function gatewayText({ name, port, stateFolder }: FirstGateway): string {
  // Only this machine has to reach one of this machine.
  const address = name === '::1' ? '"::1"' : loopback.has(name) ? '127.0.0.1' : '0.0.0.0';
  return `# The gateway, which stands outside of the containers. Every key: docs/reference/configuration.md
version: 1

# Agents connect here, over TLS.
listen: { address: ${address}, port: ${port} }

# Its certificate has these names; agents connect to one of them.
publicNames: [${quoted(name)}]

# Keys, sessions and the audit. Only the gateway's user may read it.
stateDirectory: ${quoted(stateFolder)}

# What containers may reach. A running gateway takes a changed file within seconds.
policy: policy.yaml
`;
}

const policies: Readonly<Record<FirstPolicy, string>> = {
  observe: `# Nothing is refused yet but private and metadata addresses: what would have been denied is recorded.
# \`upstreamproxy policy learn\` makes rules of it. Take \`mode: observe\` out, and the rules decide.
mode: observe
rules: []
`,
  npm: `# Everything that no rule allows is denied.
groups:
  # The hosts that npm is configured to use on this machine.
  registry: { discover: npm }
rules:
  - name: packages
    include: registry
    methods: [GET, HEAD]
`,
  found: `# Everything that no rule allows is denied. These services were found; \`inject: NAME\` in a rule puts a credential of gateway.yaml on.
`,
  nothing: `# Everything that no rule allows is denied. A first rule:
#   - name: packages
#     hosts: registry.example.com
#     methods: [GET, HEAD]
rules: []
`,
};

export function policyText({ start }: FirstGateway, { services, untold }: FirstPlace): string {
  const found = services.map((one) => serviceRule(one, untold?.has(one.entry) === true)).join('');
  const rest =
    start === 'found'
      ? /^ {2}- /m.test(found)
        ? `rules:\n${found}`
        : `rules: []\n${found}`
      : found === ''
        ? ''
        : `\n# Found where this was written. To let their reads through, put these under \`rules:\`, without the marks:\n${found.replaceAll(/^/gm, '#').replace(/#$/, '')}`;
  return `# What containers may reach. Every key: docs/reference/policy.md\nversion: 1\n\n${policies[start]}${rest}`;
}

/** Without a credential. What stands in files of the folder comes in quotes. A policy with a rule that is untold is none, so that one is a comment. */
function serviceRule({ entry, title, by, repositories }: FoundService, isUntold: boolean): string {
  const hasGit = builtInEntries[entry]?.parts.some(({ git }) => git !== undefined) ?? false;
  const names = repositories.map((name) => JSON.stringify(name)).join(', ');
  const git = hasGit && names !== '' ? `    git: { repository: [${names}] }\n` : '';
  const rule = `  - name: ${entry}\n    include: catalog/${entry}\n${git}`;
  const why = `  # ${title}: ${by.join(', ')}\n`;
  if (!isUntold) return why + rule;
  return `${why}  # Its tool is not here to tell the hosts:\n${rule.replaceAll(/^ {2}/gm, '  #')}`;
}

/** What to do next, for a person. `folder` is where the files are, as it was typed. */
export function nextSteps({ name, port, start }: FirstGateway, folder: string): string {
  const config = shellWord(folder === '.' ? 'gateway.yaml' : `${folder}/gateway.yaml`);
  const host = name.includes(':') ? `[${name}]` : name;
  const learn =
    start === 'observe'
      ? `\nWhen it has seen a job, make rules of it:\n\n  upstreamproxy policy learn --config ${config}\n`
      : '';
  return `
Start the gateway:

  upstreamproxy gateway --config ${config}

Let a container in, with its certificate and a token that starts one session:

  upstreamproxy ca show --server --config ${config} > gateway-ca.pem
  upstreamproxy token issue --config ${config} --subject first --out token
  upstreamproxy run --gateway ${shellWord(`https://${host}:${port}`)} --gateway-ca gateway-ca.pem --token-file token -- COMMAND
${learn}`;
}

/** A text in YAML, whatever is in it. */
function quoted(text: string): string {
  return /^[a-z][a-z0-9./-]*$/i.test(text) ? text : JSON.stringify(text);
}

function shellWord(text: string): string {
  return /^[\w./:@%+,=-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
