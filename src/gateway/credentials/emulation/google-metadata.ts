// The metadata server of Google Cloud for libraries in the container: who they are is told, and every token is a placeholder.
// https://cloud.google.com/compute/docs/metadata/querying-metadata has the paths and fields.

import { lookAlikeJwt } from './look-alike-jwt.ts';
import type { EmulatedRequest, EmulatedResponse, Emulation } from './emulations.ts';

export interface GoogleMetadataOptions {
  readonly project: string;
  readonly projectNumber: string;
  /** Of the service account that libraries are told of. */
  readonly email: string;
  readonly scopes: readonly string[];
  readonly zone: string;
  /** In place of each token. */
  readonly placeholder: string;
}

const root = '/computeMetadata/v1';
/** What libraries take a token to live. */
const tokenSeconds = 3599;
const flavour = { 'metadata-flavor': 'Google', server: 'Metadata Server for VM' } as const;

/** A value, or what stands below a path. */
type Node = string | readonly string[] | { readonly [name: string]: Node };

export function googleMetadata(options: GoogleMetadataOptions): Emulation {
  const tree = treeOf(options);
  return {
    hosts: ['169.254.169.254', 'metadata.google.internal', 'metadata.goog', 'metadata'],
    variables: {
      GOOGLE_CLOUD_PROJECT: options.project,
      // By its name it is found where addresses have no route.
      GCE_METADATA_HOST: 'metadata.google.internal',
      GCE_METADATA_IP: 'metadata.google.internal',
      METADATA_SERVER_DETECTION: 'assume-present',
    },
    respond: (request) => {
      const { path } = request;
      if (path === '/') return text(200, 'computeMetadata/\n');
      if (path !== root && !path.startsWith(`${root}/`) && path !== '/computeMetadata/') return undefined;
      const refusal = refusalOf(request);
      return refusal ?? respond(request, tree, options);
    },
  };
}

/** The real one refuses what a proxy sends for somebody else, and what does not say that it means this server. */
function refusalOf({ method, field }: EmulatedRequest): EmulatedResponse | undefined {
  if (field('x-forwarded-for') !== undefined) return text(403, 'X-Forwarded-For is not allowed\n');
  const isMeant =
    field('metadata-flavor')?.toLowerCase() === flavour['metadata-flavor'].toLowerCase() ||
    field('x-google-metadata-request')?.toLowerCase() === 'true';
  if (!isMeant) return text(403, 'Missing required header "Metadata-Flavor": "Google"\n');
  return method === 'GET' || method === 'HEAD' ? undefined : text(405, 'Method not allowed\n');
}

function respond(request: EmulatedRequest, tree: Node, options: GoogleMetadataOptions): EmulatedResponse {
  const query = new URLSearchParams(request.query);
  const names = request.path
    .slice(root.length)
    .split('/')
    .filter((name) => name !== '');
  const [first, second, account, leaf, ...rest] = names;
  const isAccount = first === 'instance' && second === 'service-accounts' && rest.length === 0;
  if (isAccount && (account === 'default' || account === options.email)) {
    if (leaf === 'token') return tokenOf(options);
    if (leaf === 'identity') return identityOf(query, request, options);
  }
  let node: Node | undefined = tree;
  for (const name of names) {
    if (typeof node !== 'object' || Array.isArray(node) || !Object.hasOwn(node, name))
      return text(404, 'Not found\n');
    // It is a map of its own names.
    node = (node as { readonly [name: string]: Node })[name];
  }
  if (node === undefined) return text(404, 'Not found\n');
  return shown(node, query);
}

function shown(node: Node, query: URLSearchParams): EmulatedResponse {
  const isJson = query.get('alt') === 'json';
  if (typeof node === 'string') return isJson ? json(node) : text(200, node);
  if (Array.isArray(node)) return isJson ? json(node) : text(200, `${node.join('\n')}\n`);
  if (query.get('recursive')?.toLowerCase() === 'true' && query.get('alt') !== 'text')
    return json(camelCased(node));
  const listed = Object.entries(node).map(([name, below]) => (isLeaf(below) ? name : `${name}/`));
  return text(200, `${listed.join('\n')}\n`);
}

function isLeaf(node: Node): boolean {
  return typeof node === 'string' || Array.isArray(node);
}

/** As the real one writes names when it gives a whole tree; tokens and identities are not in it. */
function camelCased(node: Node): unknown {
  if (isLeaf(node)) return node;
  return Object.fromEntries(
    Object.entries(node)
      .filter(([name]) => name !== 'token' && name !== 'identity')
      .map(([name, below]) => [
        name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase()),
        camelCased(below),
      ]),
  );
}

function treeOf({ project, projectNumber, email, scopes, zone }: GoogleMetadataOptions): Node {
  const account = { aliases: ['default'], email, identity: '', scopes, token: '' };
  return {
    instance: {
      attributes: {},
      hostname: `upstreamproxy.c.${project}.internal`,
      id: '1',
      name: 'upstreamproxy',
      'service-accounts': { default: account, [email]: account },
      zone: `projects/${projectNumber}/zones/${zone}`,
    },
    project: { attributes: {}, 'numeric-project-id': projectNumber, 'project-id': project },
    universe: { 'universe-domain': 'googleapis.com' },
  };
}

function tokenOf({ placeholder }: GoogleMetadataOptions): EmulatedResponse {
  return json({ access_token: placeholder, expires_in: tokenSeconds, token_type: 'Bearer' });
}

function identityOf(
  query: URLSearchParams,
  { nowMs }: EmulatedRequest,
  { email, placeholder }: GoogleMetadataOptions,
): EmulatedResponse {
  const audience = query.get('audience') ?? '';
  if (!/^[\x21-\x7e]{1,1024}$/.test(audience)) return text(400, 'non-empty audience parameter required\n');
  const seconds = Math.floor(nowMs / 1000);
  const claims = {
    aud: audience,
    azp: '1',
    email,
    email_verified: true,
    exp: seconds + tokenSeconds,
    iat: seconds,
    iss: 'https://accounts.google.com',
    sub: '1',
  };
  return text(200, lookAlikeJwt(claims, placeholder));
}

function text(status: number, value: string): EmulatedResponse {
  return { status, type: 'application/text', text: value, headers: flavour };
}

function json(value: unknown): EmulatedResponse {
  return { status: 200, type: 'application/json', text: JSON.stringify(value), headers: flavour };
}
