// Icons, drawn with the colour of the text around them. They only repeat what a label says.

import type { ReactNode } from "react";

const icon = (paths: ReactNode) => () => (
  <svg className="icon" viewBox="0 0 24 24" aria-hidden="true">
    {paths}
  </svg>
);

export const WaveIcon = icon(
  <>
    <path d="M3 9.5c3-3.4 6-3.4 9 0s6 3.4 9 0" />
    <path d="M3 15.5c3-3.4 6-3.4 9 0s6 3.4 9 0" opacity=".55" />
  </>,
);
export const MenuIcon = icon(<path d="M4 7h16M4 12h16M4 17h10" />);
export const CloseIcon = icon(<path d="m7 7 10 10M17 7 7 17" />);
export const PlusIcon = icon(<path d="M12 6v12M6 12h12" />);
export const SendIcon = icon(<path d="M12 19V5m-6 6 6-6 6 6" />);
export const DownIcon = icon(<path d="M12 5v14m-6-6 6 6 6-6" />);
export const LeaveIcon = icon(<path d="M10 5H6v14h4m4-3 4-4-4-4m4 4H10" />);
export const ClockIcon = icon(
  <>
    <circle cx="12" cy="12" r="8" />
    <path d="M12 8v4.5l2.5 1.5" />
  </>,
);
export const AlertIcon = icon(
  <>
    <circle cx="12" cy="12" r="8.5" />
    <path d="M12 8v5m0 3v.01" />
  </>,
);
