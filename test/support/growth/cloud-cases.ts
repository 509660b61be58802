// What responds in the place of clouds: paths, parameters and fields are the workload's.

import {
  azureIdentity,
  azureIdentityPath,
} from '../../../src/gateway/credentials/emulation/azure-identity.ts';
import { googleMetadata } from '../../../src/gateway/credentials/emulation/google-metadata.ts';
import { lookAlikeJwt } from '../../../src/gateway/credentials/emulation/look-alike-jwt.ts';
import { tried, type GrowthCases } from './growth-case.ts';

const email = 'agent@my-project.iam.gserviceaccount.com';
const google = googleMetadata({
  project: 'my-project',
  projectNumber: '1',
  email,
  scopes: ['a'],
  zone: 'europe-west1-b',
  placeholder: 'p',
});
const azure = azureIdentity({ tenant: 't', clientId: 'c', placeholder: 'p', ownHost: 'own.test' });
const root = '/computeMetadata/v1';

export const cloudCases: GrowthCases = {
  'clouds that are emulated': {
    pieces: [
      '/',
      'instance/',
      'service-accounts/',
      'default',
      '&',
      '=',
      '%41',
      'audience=a',
      'resource=a',
      '-a',
      ' ',
    ],
    read: (text) => {
      const base = { method: 'GET', body: '', nowMs: 0, field: () => 'true' };
      const asked = { ...base, host: '169.254.169.254' };
      tried(() => google.respond({ ...asked, path: `${root}/${text}`, query: text }));
      tried(() =>
        google.respond({ ...asked, path: `${root}/instance/service-accounts/default/identity`, query: text }),
      );
      tried(() => azure.respond({ ...asked, path: '/metadata/identity/oauth2/token', query: text }));
      tried(() =>
        azure.respond({ ...base, host: 'own.test', field: () => text, path: azureIdentityPath, query: text }),
      );
      tried(() => lookAlikeJwt({ aud: text }, 'p'));
    },
  },
};
