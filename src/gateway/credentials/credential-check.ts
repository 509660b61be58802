// What the shape of credentials cannot say: keys that go together, one source each, names.

import type { YamlPath } from '../../policy/yaml-source.ts';
import type { CredentialDocument } from './credential-schema.ts';
import { awsKeyIdVariable, awsSecretVariable } from './credential-config.ts';
import { placeholderPattern } from './request/placeholder.ts';
import { isServiceUrl } from '../forward/service-fetch.ts';
import type { SourceDocument } from './source-schema.ts';

type Report = (path: YamlPath, message: string) => void;

export const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Fields that belong to the connection or the message, not to a credential. */
const unfitHeaders =
  /^(host|connection|content-length|content-type|transfer-encoding|te|trailer|upgrade|expect|keep-alive|http2-settings|proxy-.*|sec-.*|:.*)$/i;

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
  'github-app': {
    needs: ['appId', 'installationId'],
    may: ['apiUrl', 'as', 'permissions', 'repositories'],
  },
  sigv4: { needs: ['accessKeyId'], may: ['sessionToken', 'region', 'service', 'copies'] },
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
  'appId',
  'installationId',
  'apiUrl',
  'as',
  'permissions',
  'repositories',
  'accessKeyId',
  'sessionToken',
  'region',
  'service',
  'copies',
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
  if (kind !== 'placeholder') {
    if (kind === 'sigv4' && placeholder !== undefined && !awsKeyIdVariable.test(placeholder.env))
      report(
        'the variable for AWS keys ends in ACCESS_KEY_ID; write placeholder: { env: AWS_ACCESS_KEY_ID }',
      );
    if (placeholder?.body === true) report('"body" has a meaning for kind placeholder only; remove it');
    return;
  }
  if (placeholder === undefined) {
    report('kind placeholder needs "placeholder"; write placeholder: { env: NAME }');
  } else if (placeholder.value !== undefined && !placeholderPattern.test(placeholder.value)) {
    report('it is searched for in requests; write 12 to 256 letters, digits, ".", "_", "~" or "-"');
  }
}

/** Exactly one place for a secret, and for Vault one way to log in. */
function checkSource(source: SourceDocument, at: YamlPath, report: Report): void {
  if (Object.keys(source).length !== 1) {
    report(at, 'a secret has one source; write exactly one of env, file, command and vault');
  }
  if (source.vault === undefined) return;
  const { address, path, auth } = source.vault;
  if (!isServiceUrl(address)) {
    report(
      [...at, 'vault', 'address'],
      'a secret never travels in the clear; write https://, or http:// with a loopback address such as 127.0.0.1',
    );
  }
  if (path.split('/').some((segment) => segment === '.' || segment === '..'))
    report([...at, 'vault', 'path'], 'a path without "." and ".." is what the server sees; write it so');
  if (Object.keys(auth).length !== 1) {
    report(
      [...at, 'vault', 'auth'],
      'there is one way to log in; write exactly one of tokenSource, kubernetes and approle',
    );
  }
  const inner = [
    ['tokenSource', auth.tokenSource],
    ['approle', auth.approle?.secretIdSource],
  ] as const;
  for (const [key, one] of inner) {
    if (one !== undefined && Object.keys(one).length !== 1)
      report(
        [...at, 'vault', 'auth', key],
        'a secret has one source; write exactly one of env, file and command',
      );
  }
}

/** Reports what is wrong, at its place below `credentials`. */
export function checkCredentials(
  credentials: Readonly<Record<string, CredentialDocument>>,
  report: Report,
): void {
  const variables = new Map<string, string>();
  for (const [name, credential] of Object.entries(credentials)) {
    const at = ['credentials', name];
    if (!namePattern.test(name)) {
      report(
        at,
        'the name of a credential is made of letters, digits, ".", "_" and "-"; write a shorter, plainer one',
      );
    }
    for (const key of ['source', 'refreshToken', 'accessKeyId', 'sessionToken'] as const) {
      const source = credential[key];
      if (source !== undefined) checkSource(source, [...at, key], report);
    }
    if (credential.installationId !== undefined && !/^\d+$/.test(credential.installationId))
      report([...at, 'installationId'], 'the id of an installation is a number; write it');
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
    for (const header of credential.strip?.headers ?? []) {
      if (unfitHeaders.test(header))
        report([...at, 'strip', 'headers'], `${header} belongs to the message or the connection; remove it`);
    }
    if (credential.kind === 'placeholder' && credential.strip !== undefined)
      report([...at, 'strip'], '"strip" has no meaning for kind placeholder; remove it');
    checkPlaceholder(credential, (message) => {
      report([...at, 'placeholder'], message);
    });
    for (const variable of placeholderNames(credential)) {
      const other = variables.get(variable);
      if (other !== undefined) {
        report(
          [...at, 'placeholder', 'env'],
          `the placeholder of ${other} has the same variable; write another one`,
        );
      }
      variables.set(variable, name);
    }
  }
}

function placeholderNames({ kind, placeholder }: CredentialDocument): readonly string[] {
  if (placeholder === undefined) return [];
  const { env } = placeholder;
  return kind === 'sigv4' ? [env, awsSecretVariable(env)] : [env];
}
