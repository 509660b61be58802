// What the shape of a configuration cannot say: keys that go together, addresses, names.

import { isIP } from 'node:net';
import type { YamlPath } from '../policy/yaml-source.ts';
import { placeholderPattern } from './credentials/placeholder.ts';
import { asList, type GatewayConfigDocument } from './config-schema.ts';

type Report = (path: YamlPath, message: string) => void;

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Fields that belong to the connection or the message, not to a credential. */
const unfitHeaders =
  /^(host|connection|content-length|content-type|transfer-encoding|te|trailer|upgrade|expect|keep-alive|http2-settings|proxy-.*|sec-.*|:.*)$/i;

/** What the shape of the document cannot say: keys that go together, addresses, names. */
export function checkConfigDocument(document: GatewayConfigDocument, report: Report): void {
  if (document.listen?.address !== undefined && isIP(document.listen.address) === 0) {
    report(['listen', 'address'], 'not an IP address; write one to listen on, such as 0.0.0.0 or ::');
  }
  if (/^postgres(ql)?:\/\/[^/]*:[^/]*@/.test(document.store ?? '')) {
    report(['store'], 'the URL has a password; a secret never stands in this file');
  }
  checkCredentials(document, report);
  for (const name of Object.keys(document.trust ?? {})) {
    if (!namePattern.test(name))
      report(
        ['trust', name],
        'the name of a trust is made of letters, digits, ".", "_" and "-"; write a shorter, plainer one',
      );
  }
  const proxy = document.upstream?.proxy;
  if ((proxy?.username === undefined) !== (proxy?.source === undefined)) {
    report(['upstream', 'proxy'], 'username and source go together; write both, or neither');
  }
  if (proxy?.source !== undefined && Object.keys(proxy.source).length !== 1) {
    report(
      ['upstream', 'proxy', 'source'],
      'a secret has one source; write exactly one of env, file and command',
    );
  }
  for (const [i, address] of asList(document.upstream?.resolvers).entries()) {
    const bare =
      /^\[(.+)\](?::\d+)?$/.exec(address)?.[1] ??
      (isIP(address) === 6 ? address : address.replace(/:\d+$/, ''));
    const at = Array.isArray(document.upstream?.resolvers)
      ? ['upstream', 'resolvers', i]
      : ['upstream', 'resolvers'];
    if (isIP(bare) === 0) report(at, 'not an address of a name server; write an IP address, or address:port');
  }
  for (const [host, addresses] of Object.entries(document.upstream?.hosts ?? {})) {
    const isBad = asList(addresses).some((address) => isIP(address) === 0);
    if (isBad)
      report(['upstream', 'hosts', host], 'not an IP address; names are mapped to addresses, not to names');
    if (host !== host.toLowerCase() || host.endsWith('.') || host.includes('*')) {
      report(
        ['upstream', 'hosts', host],
        'not a canonical name; write it in lower case, without a dot at the end or a wildcard',
      );
    }
  }
}

type CredentialDocument = NonNullable<GatewayConfigDocument['credentials']>[string];

/** The keys that only some kinds have: what each needs, and what it may have beside. */
const keysOfKind: Readonly<
  Record<CredentialDocument['kind'], { readonly needs: readonly string[]; readonly may?: readonly string[] }>
> = {
  bearer: { needs: [] },
  basic: { needs: ['username'] },
  header: { needs: ['header'], may: ['prefix'] },
  query: { needs: ['parameter'] },
  placeholder: { needs: [] },
  mtls: { needs: ['certificate'] },
  oauth: { needs: ['tokenUrl', 'clientId'], may: ['scope', 'refreshToken'] },
};
const keysOfSomeKind = [
  'username',
  'header',
  'prefix',
  'parameter',
  'certificate',
  'tokenUrl',
  'clientId',
  'scope',
  'refreshToken',
] as const;

function checkKeysOfKind(
  credential: CredentialDocument,
  report: (key: string | undefined, message: string) => void,
): void {
  const { needs, may = [] } = keysOfKind[credential.kind];
  for (const key of keysOfSomeKind) {
    if (credential[key] === undefined) {
      if (needs.includes(key)) report(undefined, `kind ${credential.kind} needs "${key}"; write it`);
    } else if (!needs.includes(key) && !may.includes(key)) {
      report(key, `"${key}" has no meaning for kind ${credential.kind}; remove it`);
    }
  }
}

/** It is searched for in requests, so it must be rare and the same in every encoding. */
function checkPlaceholder(
  { kind, placeholder }: CredentialDocument,
  report: (message: string) => void,
): void {
  if (kind !== 'placeholder') return;
  if (placeholder === undefined) {
    report('kind placeholder needs "placeholder"; write placeholder: { env: NAME }');
  } else if (placeholder.value !== undefined && !placeholderPattern.test(placeholder.value)) {
    report('it is searched for in requests; write 12 to 256 letters, digits, ".", "_", "~" or "-"');
  }
}

function checkCredentials(document: GatewayConfigDocument, report: Report): void {
  const variables = new Map<string, string>();
  for (const [name, credential] of Object.entries(document.credentials ?? {})) {
    const at = ['credentials', name];
    if (!namePattern.test(name)) {
      report(
        at,
        'the name of a credential is made of letters, digits, ".", "_" and "-"; write a shorter, plainer one',
      );
    }
    if (Object.keys(credential.source).length !== 1) {
      report([...at, 'source'], 'a secret has one source; write exactly one of env, file and command');
    }
    if (credential.refreshToken !== undefined && Object.keys(credential.refreshToken).length !== 1) {
      report([...at, 'refreshToken'], 'a secret has one source; write exactly one of env, file and command');
    }
    checkKeysOfKind(credential, (key, message) => {
      report(key === undefined ? at : [...at, key], message);
    });
    if (credential.username?.includes(':') === true) {
      report([...at, 'username'], 'a user name of Basic cannot have a colon (RFC 7617)');
    }
    if (credential.header !== undefined && unfitHeaders.test(credential.header)) {
      report(
        [...at, 'header'],
        `${credential.header} belongs to the message or the connection; write the field that the origin expects`,
      );
    }
    checkPlaceholder(credential, (message) => {
      report([...at, 'placeholder'], message);
    });
    const variable = credential.placeholder?.env;
    const other = variable === undefined ? undefined : variables.get(variable);
    if (other !== undefined) {
      report(
        [...at, 'placeholder', 'env'],
        `the placeholder of ${other} has the same variable; write another one`,
      );
    }
    if (variable !== undefined) variables.set(variable, name);
  }
}
