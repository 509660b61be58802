// What the gateway serves below /doctor at its own name: something for each kind of client to succeed with.

import { createHash } from 'node:crypto';
import type { Principal } from '../../policy/decision.ts';
import { accessHost, doctorPath } from '../../policy/granted-policy.ts';
import { ProxyError } from '../../protocol/error.ts';

export interface DoctorRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly scheme: string;
  /** What the client speaks with the gateway: `http/1.1` or `h2`. */
  readonly protocol: string;
  readonly principal: Principal;
  /** Those that rules of the session's policy name, beside 80 and 443. */
  readonly ports: readonly number[];
  readonly nowMs: number;
}

export interface DoctorResponse {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

/** The word that the client chose, repeated in every response, so that no cache and no other server can have given it. */
const word = '([a-z0-9]{1,40})';

const statusPath = pathOf(`/status/${word}(?:/.*)?`);

type Responding = (word: string, request: DoctorRequest) => DoctorResponse;

/**
 * Paths below `doctorPath`, each with a response. The registries have what the cheapest command of their client asks for; 418 is
 * for clients that show no more of a response than its status.
 */
const responses: readonly (readonly [path: RegExp, respond: Responding])[] = [
  [pathOf(''), (_, request) => report(undefined, request)],
  [pathOf(`/${word}`), report],
  [statusPath, (found) => plain(418, `doctor ${found}\n`)],
  [pathOf(`/npm/${word}/-/ping`), report],
  [pathOf(`/simple/${word}/[a-z0-9-]+/`), (found) => html(pythonIndex(found))],
  [pathOf(`/go/${word}/.*/@v/list`), () => plain(200, 'v1.0.0\n')],
  [pathOf(`/cargo/${word}/config.json`), (found) => json(200, cargoRegistry(found))],
  [pathOf(`/cargo/${word}/api/v1/crates`), (found) => json(200, cratesNamed(found))],
  [new RegExp(`^${doctorPath}\\.git/${word}/info/refs$`), (found) => gitReferences(found)],
];

/** Responds to a request below `doctorPath`. Throws access_unknown for what is not there. */
export function doctorResponse(request: DoctorRequest): DoctorResponse {
  for (const [path, respond] of responses) {
    const match = path.exec(request.path);
    if (match === null) continue;
    // Some clients begin with methods of their own.
    if (request.method === 'GET' || request.method === 'HEAD' || path === statusPath)
      return respond(match[1] ?? '', request);
  }
  throw new ProxyError(
    'access_unknown',
    `The gateway responds to GET https://${accessHost}${doctorPath} for those who see whether they reach it.`,
  );
}

function pathOf(pattern: string): RegExp {
  return new RegExp(`^${doctorPath}${pattern}$`);
}

function report(found: string | undefined, request: DoctorRequest): DoctorResponse {
  const { scheme, protocol, principal, ports, nowMs } = request;
  return json(200, {
    ok: true,
    ...(found === undefined ? {} : { doctor: found }),
    session: principal.sessionId,
    scheme,
    protocol,
    ports,
    time: new Date(nowMs).toISOString(),
  });
}

/** An index of Python packages (PEP 503) with one version of one. */
function pythonIndex(found: string): string {
  const file = `${found}-1.0.tar.gz`;
  return `<!DOCTYPE html><html><body><a href="${file}">${file}</a></body></html>\n`;
}

/** `config.json` of a sparse registry of crates. */
function cargoRegistry(found: string): object {
  const url = `https://${accessHost}${doctorPath}/cargo/${found}`;
  return { dl: `${url}/crates`, api: url };
}

function cratesNamed(found: string): object {
  return {
    crates: [{ name: found, max_version: '1.0.0', description: 'The gateway was reached.' }],
    meta: { total: 1 },
  };
}

/** gitprotocol-http(5): one branch, named by the word, of a commit that nobody can fetch. */
function gitReferences(found: string): DoctorResponse {
  const id = createHash('sha1').update(found).digest('hex');
  const line = (text: string): string => (text.length + 4).toString(16).padStart(4, '0') + text;
  const text = `${line('# service=git-upload-pack\n')}0000${line(`${id} refs/heads/${found}\0\n`)}0000`;
  return { status: 200, type: 'application/x-git-upload-pack-advertisement', text };
}

function json(status: number, body: object): DoctorResponse {
  return { status, type: 'application/json', text: `${JSON.stringify(body, undefined, 2)}\n` };
}

function plain(status: number, text: string): DoctorResponse {
  return { status, type: 'text/plain; charset=utf-8', text };
}

function html(text: string): DoctorResponse {
  return { status: 200, type: 'text/html; charset=utf-8', text };
}
