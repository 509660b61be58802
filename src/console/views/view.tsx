// Which view an address means.

import type { ReactElement } from 'react';
import type { Place } from '../parts/location.ts';
import { ExchangePage } from './exchange/exchange-page.tsx';
import { LiveView } from './live/live-view.tsx';

export function View({ place }: { readonly place: Place }): ReactElement {
  switch (place.view) {
    case 'exchange':
      return <ExchangePage key={place.id} trace={place.id} />;
    case 'live':
    case 'access':
    case 'sessions':
    case 'policy':
    case 'overview':
    case 'credentials':
      return <LiveView place={place} />;
  }
}
