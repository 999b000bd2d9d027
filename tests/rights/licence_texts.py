"""Texts and notices of licences, free ones and traps."""

MIT = """\
Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction, including
without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the
following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial
portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT
LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO
EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER
IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR
THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""
BSD_3 = """\
Redistribution and use in source and binary forms, with or without modification, are permitted provided
that the following conditions are met:

1. Redistributions of source code must retain the above copyright notice, this list of conditions and the
   following disclaimer.
2. Redistributions in binary form must reproduce the above copyright notice, this list of conditions and
   the following disclaimer in the documentation and/or other materials provided with the distribution.
3. Neither the name of Examplia Netz nor the names of its contributors may be used to endorse or promote
   products derived from this software without specific prior written permission.

THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR IMPLIED
WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A
PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE FOR
ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED
TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION)
HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING
NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE
POSSIBILITY OF SUCH DAMAGE.
"""
BSD_2 = BSD_3[: BSD_3.index("3. Neither")] + BSD_3[BSD_3.index("\nTHIS SOFTWARE") :]
ISC = """\
Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is
hereby granted, provided that the above copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE
INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE
FOR ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS
OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING
OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.
"""
APACHE = """\
Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except in
compliance with the License. You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software distributed under the License is
distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and limitations under the License.
"""
GPL_2 = """\
This program is free software; you can redistribute it and/or modify it under the terms of the GNU General
Public License as published by the Free Software Foundation; either version 2 of the License, or (at your
option) any later version.

This program is distributed in the hope that it will be useful, but WITHOUT ANY WARRANTY; without even the
implied warranty of MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE. See the GNU General Public
License for more details.

On Debian systems, the complete text of the GNU General Public License version 2 can be found in
"/usr/share/common-licenses/GPL-2".
"""
CC_BY = "This work is licensed under a Creative Commons Attribution 4.0 International License.\n"
FREE = {
    "MIT": MIT,
    "BSD-3-Clause": BSD_3,
    "BSD-2-Clause": BSD_2,
    "ISC": ISC,
    "Apache-2.0": APACHE,
    "CC-BY-4.0": CC_BY,
}

NOT_FREE = {
    "JSON": MIT + "\nThe Software shall be used for Good, not Evil.",
    "CC-BY-NC": (
        "This work is licensed under a Creative Commons Attribution-NonCommercial 4.0 International License."
    ),
    "CC-BY-NC by address": "https://creativecommons.org/licenses/by-nc/4.0/",
    "CC-BY-NC in letters": "Licensed under CC BY 4.0 NC",
    "CC-BY-ND": "This work is licensed under CC BY-ND 4.0.",
    "CC-BY-NC-SA": (
        "This work is licensed under the Creative Commons Attribution-NonCommercial-ShareAlike 3.0 "
        "Unported License."
    ),
    "Commons Clause": (
        '"Commons Clause" License Condition v1.0\n\nThe Software is provided to you by the Licensor '
        "under the License, as defined below, subject to the following condition. Without limiting other "
        "conditions in the License, the grant of rights under the License will not include, and the "
        "License does not grant to you, the right to Sell the Software.\n\n"
    )
    + MIT,
    "Commons Clause, named": MIT + "\nCommons Clause applies.",
    "Elastic": (
        "Elastic License 2.0\n\nYou may not provide the software to third parties as a hosted or managed "
        "service, where the service provides users with access to any substantial set of the features or "
        "functionality of the software."
    ),
    "SSPL": "Licensed under the Server Side Public License, version 1.",
    "BUSL": (
        "Business Source License 1.1\n\nThe Licensor hereby grants you the right to copy, modify, create "
        "derivative works, redistribute, and make non-production use of the Licensed Work."
    ),
    "Llama": (
        "LLAMA 3 COMMUNITY LICENSE AGREEMENT\n\nYou are granted a non-exclusive, worldwide, "
        "non-transferable and royalty-free limited license to use, reproduce, distribute, copy, create "
        "derivative works of, and make modifications to the Llama Materials."
    ),
    "PolyForm": (
        "PolyForm Noncommercial License 1.0.0\n\nThe licensor grants you a copyright license for the "
        "software to do everything you might do with the software that would otherwise infringe the "
        "licensor's copyright in it for any permitted purpose."
    ),
    "OpenRAIL": (
        "BigScience OpenRAIL-M\n\nYou agree not to use the Model or Derivatives of the Model in any way "
        "that violates any applicable law."
    ),
    "in markup": MIT.replace("any person", "any person <for non-commercial use only>"),
    "in a line of copyright": "Copyright 2020 Example Inc. Not for commercial use.\n\n" + MIT,
    "after the years": "Copyright 2020 Example Inc.\nFor evaluation only.\n\n" + MIT,
    "in the slot for names": BSD_3.replace("Examplia Netz", "Example may be used for training and no name"),
    "for training": BSD_3 + "\nThis software may not be used for training machine learning models.",
    "the exception of another": APACHE + "\nThe Commons Clause Restriction applies.",
    "before a name": "For non-commercial use, licensed under the MIT license.",
    "after a name": "Licensed under the MIT license, except for AI companies.",
}
