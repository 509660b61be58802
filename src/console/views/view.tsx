// Which view an address means.

import type { ReactElement } from 'react';
import type { Place } from '../parts/location.ts';
import { AccessView } from './access/access-view.tsx';
import { CredentialsView } from './credentials/credentials-view.tsx';
import { ExchangePage } from './exchange/exchange-page.tsx';
import { LiveView } from './live/live-view.tsx';
import { OverviewView } from './overview/overview-view.tsx';
import { PolicyView } from './policy/policy-view.tsx';
import { SettingsView } from './settings/settings-view.tsx';
import { SessionsView } from './sessions/sessions-view.tsx';

export function View({ place }: { readonly place: Place }): ReactElement {
  switch (place.view) {
    case 'live':
      return <LiveView place={place} />;
    case 'exchange':
      return <ExchangePage key={place.id} trace={place.id} />;
    case 'access':
      return <AccessView place={place} />;
    case 'sessions':
      return <SessionsView place={place} />;
    case 'policy':
      return <PolicyView query={place.query} />;
    case 'overview':
      return <OverviewView place={place} />;
    case 'credentials':
      return <CredentialsView />;
    case 'settings':
      return <SettingsView />;
  }
}
