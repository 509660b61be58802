// What the shape of one credential cannot say: their names, and variables that two of them would share.

import type { YamlPath } from '../../policy/yaml-source.ts';
import { placeholderVariables } from './credential-kinds.ts';
import type { CredentialDocument } from './credential-kinds.ts';

type Report = (path: YamlPath, message: string) => void;

export const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Reports what is wrong, at its place below `credentials`. */
export function checkCredentials(
  credentials: Readonly<Record<string, CredentialDocument>>,
  report: Report,
): void {
  const variables = new Map<string, string>();
  const emulating = new Map<string, string>();
  for (const [name, credential] of Object.entries(credentials)) {
    const at = ['credentials', name];
    if (!namePattern.test(name)) {
      report(
        at,
        'the name of a credential is made of letters, digits, ".", "_" and "-"; write a shorter, plainer one',
      );
    }
    if ('emulate' in credential && credential.emulate !== undefined) {
      const other = emulating.get(credential.kind);
      if (other !== undefined)
        report(
          [...at, 'emulate'],
          `${other} responds in the place of the same cloud, which a container finds once; remove one of the two`,
        );
      emulating.set(credential.kind, name);
    }
    for (const variable of Object.keys(placeholderVariables(name, credential))) {
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
