// The console: the page that the admin listener serves.

import './console.css';
import './views.css';
import { createRoot } from 'react-dom/client';
import { takeSecret } from './api/log-in-by-link.ts';
import { App } from './app.tsx';
import { applyTheme } from './parts/theme.ts';

applyTheme();
const secret = takeSecret();
const place = document.querySelector('#console');
if (place !== null) createRoot(place).render(<App secret={secret} />);
